// Turns clicks and boxes into masks. Each is an ephemeral job; an answer that a later click made stale is dropped.

import { candidatesOf, toRequest } from "../objects/answers.js";
import { EMPTY_PROMPT, nextNumber, selectedOf, withObject, withPoint } from "../objects/objects.js";

const FORGOTTEN = ["not_found", "image_not_found", "input_gone"]; // the job, or the image

export class Clicking {
  #session;
  #opening;
  #controller = new AbortController();

  constructor(session, opening) {
    this.#session = session;
    this.#opening = opening;
    session.addEventListener("opened", () => this.#controller.abort()); // the click was in the photo before
  }

  /** Give up the click whose mask has not come. */
  stop() {
    this.#controller.abort();
    this.#session.set({ draft: null });
  }

  /** Add a point to the selected object, or begin a new one. `label` is 1 on the object and 0 beside it. */
  point(at, label) {
    const { draft, state } = this.#session;
    const selected = selectedOf(state);
    if (draft) {
      const { prompt } = draft;
      return this.#ask(draft.number, { ...prompt, points: [...prompt.points, at], labels: [...prompt.labels, label] });
    }
    if (selected) return this.#ask(selected.number, withPoint(selected, at, label));
    if (label === 1) return this.#ask(nextNumber(state), { ...EMPTY_PROMPT, points: [at], labels: [1] });
    return this.#session.set({ problem: null }); // beside which object?
  }

  /** Begin a new object in a box. */
  box(box) {
    return this.#ask(nextNumber(this.#session.state), { ...EMPTY_PROMPT, box });
  }

  async #ask(number, prompt) {
    const session = this.#session;
    const start = performance.now();
    this.#controller.abort();
    const { signal } = (this.#controller = new AbortController());
    session.set({ draft: { number, prompt }, preview: null, found: null, problem: null });
    try {
      const { result } = await this.#answer(prompt, signal);
      if (signal.aborted) return;
      const before = session.state.objects.find((each) => each.number === number);
      const object = { number, label: before?.label ?? "", prompt, candidates: candidatesOf(result), chosen: 0 };
      session.set({ draft: null, clickMs: null });
      session.push(withObject(session.state, object));
      session.dispatchEvent(new CustomEvent("answered", { detail: { start } }));
    } catch (error) {
      if (!signal.aborted) session.failed(error, { draft: null });
    }
  }

  /** Run the job. If the service has lost the job or forgotten the image meanwhile, send it once more. */
  async #answer(prompt, signal) {
    const { service, photo, model } = this.#session;
    const request = clickRequest(photo, model, prompt, "all");
    try {
      return await service.run(request, signal);
    } catch (error) {
      if (!FORGOTTEN.includes(error.code)) throw error;
      if (error.code !== "not_found") await this.#opening.warm();
      return service.run(request, signal);
    }
  }
}

/** Return the request of an ephemeral job with one prompt. */
export function clickRequest(photo, model, prompt, multimask) {
  return {
    image: photo.image,
    model,
    prompts: [toRequest(prompt)],
    multimask,
    outputs: ["rle"],
    priority: "interactive",
    ephemeral: true,
  };
}
