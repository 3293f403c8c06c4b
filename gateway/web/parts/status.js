// The line under the stage, the line of progress above it, and the notice of what went wrong.

import { chosenOf, selectedOf } from "../objects/objects.js";
import { element } from "../page/element.js";
import { icon } from "../page/icons.js";
import { hasText, number, text } from "../texts/texts.js";

const SLOW_MS = 6000; // usual answers are much faster

export class Status {
  #session;
  #retry;
  #waited = null; // what the page waits for a worker to do
  #slow = null; // the timer after which that takes unusually long
  #isSlow = false;

  /** `retry` sends the photo once more. */
  constructor(session, retry) {
    this.#session = session;
    this.#retry = retry;
    session.addEventListener("change", () => this.show());
    addEventListener("offline", () => this.show());
    addEventListener("online", () => this.show());
  }

  show() {
    const { progress, running, draft, clickMs } = this.#session;
    this.#watch(draft ?? (progress?.stage === "encoding" ? progress : null));
    document.querySelector("#stop").hidden = !(running || (draft && this.#isSlow));
    this.#write("#status", this.#sentence());
    this.#write("#speed", clickMs === null ? "" : text("speed", { ms: number(clickMs) }));
    const line = document.querySelector("#line");
    line.hidden = !(progress || running || draft);
    const share = running?.share ?? null;
    line.classList.toggle("known", share !== null);
    line.firstElementChild.style.transform = share === null ? "" : `scaleX(${share})`;
    if (share === null) line.removeAttribute("aria-valuenow");
    else line.setAttribute("aria-valuenow", Math.round(100 * share));
    this.#showWaiting();
    this.#showNotice();
  }

  #sentence() {
    const { progress, running, draft, photo, state, preview, found } = this.#session;
    if (running) return this.#sentenceOfSearch(running);
    if (this.#isSlow) return text("progress_slow");
    if (progress) return text(`progress_${progress.stage}`);
    if (draft) return text("progress_click");
    if (found !== null) return text("found", { count: number(found) });
    if (!photo) return text("ready_for_photo");
    const selected = selectedOf(state);
    if (preview && !selected) return text("preview", { score: number(preview.score, 2) });
    if (!selected) return text(state.objects.length ? "ready_again" : "ready");
    const { score, mask } = chosenOf(selected);
    return text("selected", { number: selected.number, score: number(score, 2), area: number(mask.area) });
  }

  #sentenceOfSearch({ name, stage, share, ahead, masks }) {
    const isSearch = stage === "detecting" || stage === "decoding_masks";
    const what = text(isSearch ? `running_${name}` : `stage_${stage}`);
    const waits = [ahead && text("ahead", { count: number(ahead) })];
    const finds = [share && `${number(100 * share)} %`, masks && text("found", { count: number(masks.length) })];
    return [what, ...(stage === "queued" ? waits : finds)].filter(Boolean).join(" · ");
  }

  /** Say after a while that what is waited for takes long; `waited` is null if nothing is. */
  #watch(waited) {
    if (waited === this.#waited) return;
    this.#waited = waited;
    this.#isSlow = false;
    clearTimeout(this.#slow);
    if (waited === null) return;
    this.#slow = setTimeout(() => {
      this.#isSlow = true;
      this.show();
    }, SLOW_MS);
  }

  #write(selector, sentence) {
    const found = document.querySelector(selector);
    if (found.textContent !== sentence) found.textContent = sentence; // a screen reader speaks each change
  }

  /** Before there is a photo, its place says what it waits for. */
  #showWaiting() {
    const { progress, photo } = this.#session;
    const waiting = document.querySelector("#waiting");
    waiting.hidden = photo !== null || progress === null;
    if (progress) waiting.lastElementChild.textContent = text(`progress_${progress.stage}`);
  }

  #showNotice() {
    const { problem, photo, service } = this.#session;
    const notice = document.querySelector("#notice");
    const name = navigator.onLine ? (service.isLost ? "unreachable" : problem?.code) : "offline";
    notice.hidden = !name || problem?.isAboutKey === true;
    if (notice.hidden || notice.dataset.name === `${name} ${problem?.message}`) {
      if (notice.hidden) notice.dataset.name = "";
      return;
    }
    notice.dataset.name = `${name} ${problem?.message}`;
    const isKnown = hasText(`problem_${name}`);
    const title = text(isKnown ? `problem_${name}` : "problem_other");
    const detail = problem?.status && !service.isLost ? problem.message : "";
    const dismiss = () => this.#session.set({ problem: null });
    const close = { type: "button", class: "quiet", "aria-label": text("close"), onclick: dismiss };
    const again = photo?.blob && !photo.isSent && { type: "button", class: "wide", onclick: this.#retry };
    notice.replaceChildren(
      element("div", {}, element("b", {}, title), detail && element("small", {}, detail)),
      again ? element("button", again, text("again")) : "",
      element("button", close, icon("close")),
    );
  }
}
