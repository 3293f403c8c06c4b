// The webhook events of a job, and their deliveries. No stream has them, so they are read again for a while after a change.

import { element } from "../../page/element.js";
import { eventsOfJob, redeliver } from "../../service/jobs.js";
import { number, text } from "../../texts/texts.js";
import { sentence } from "../parts/failure.js";
import { duration } from "../parts/figures.js";
import { state } from "../parts/state.js";
import { ago } from "../parts/time.js";

// A receiver answers within 15 seconds. Later tries are minutes apart, and the person can ask for them.
const PAUSES_MS = [300, 700, 1500, 3000, 5000, 8000];

export class Deliveries {
  #context;
  #id;
  #closing = new AbortController();
  #items = new Map(); // by the event's id
  #list = element("ol", { class: "deliveries" });
  #empty = element("p", { class: "none" }, text("job_no_deliveries"));
  #timer = 0;

  constructor(context, id) {
    this.#context = context;
    this.#id = id;
    const again = element("button", { type: "button", class: "wide", onclick: () => this.watch() }, text("job_refresh"));
    this.element = element("section", {}, element("header", {}, element("h2", {}, text("job_deliveries")), again), this.#list, this.#empty);
  }

  close() {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  /** Read the events now, and again for a while until none waits for its delivery. */
  async watch(step = 0) {
    clearTimeout(this.#timer);
    try {
      for (let cursor = null; ; ) {
        const { items, next } = await eventsOfJob(this.#context.service, this.#id, cursor, this.#closing.signal);
        for (const event of items) this.#put(event);
        cursor = next;
        if (cursor === null) break;
      }
      this.#empty.hidden = this.#items.size > 0;
    } catch (problem) {
      if (this.#closing.signal.aborted || problem.status === 404) return;
      this.#empty.textContent = sentence(problem);
    }
    const waits = this.#list.querySelector("[data-status=pending]") !== null;
    if (step < PAUSES_MS.length && (waits || step < 2)) this.#timer = setTimeout(() => this.watch(step + 1), PAUSES_MS[step]);
  }

  #put(event) {
    const old = this.#items.get(event.id);
    const isOpen = old?.querySelector("details").open ?? false;
    if (old?.dataset.as === JSON.stringify(event)) return;
    const item = this.#item(event, isOpen);
    item.dataset.as = JSON.stringify(event);
    if (old) old.replaceWith(item);
    else this.#list.append(item);
    this.#items.set(event.id, item);
  }

  #item(event, isOpen) {
    const to = event.endpoint_id === null ? text("job_own_webhook") : this.#endpoint(event.endpoint_id);
    const next = event.next_try_at ? [text("job_next_try"), " ", ago(event.next_try_at)] : [];
    const tries = text("job_tries", { count: number(event.tries) });
    const label = text("job_redeliver_one", { type: event.type });
    const button = element("button", { type: "button", class: "wide", "aria-label": label }, text("job_redeliver"));
    button.addEventListener("click", () => this.#redeliver(event.id, button));
    const summary = element("summary", {}, element("code", {}, event.type), state(event.state), element("small", {}, tries, " ", ...next));
    const details = element("details", { open: isOpen }, summary, element("p", { class: "small" }, to), event.deliveries.map(oneDelivery));
    return element("li", {}, details, button);
  }

  #endpoint(id) {
    return element("a", { href: `/console/webhooks/${encodeURIComponent(id)}` }, text("job_endpoint", { id }));
  }

  async #redeliver(id, button) {
    button.disabled = true;
    try {
      await redeliver(this.#context.service, id);
      this.#context.announce(text("job_redelivers"));
    } catch (problem) {
      this.#context.announce(sentence(problem));
    }
    button.disabled = false;
    await this.watch();
  }
}

function oneDelivery({ at, url, status, error, duration_ms, answer }) {
  const outcome = status === null ? error : `HTTP ${status}`;
  return element(
    "div",
    { class: "delivery" },
    element("p", {}, element("b", {}, outcome ?? ""), " · ", duration(duration_ms), " · ", ago(at)),
    element("code", { class: "small" }, url),
    answer ? element("pre", { class: "code", tabindex: "0" }, answer) : null,
  );
}
