// Finds many objects in one job: those that phrases name, or everything.

import { objectsOfEverything, objectsOfTexts } from "../objects/answers.js";
import { nextNumber, withObjects } from "../objects/objects.js";

export class Finding {
  #session;
  #controller = new AbortController();

  constructor(session) {
    this.#session = session;
  }

  /** Find the objects that phrases name; commas separate them. */
  texts(line) {
    const phrases = line.split(/[,，、]/).map((phrase) => phrase.trim()).filter(Boolean);
    if (phrases.length === 0) return;
    const prompts = [{ text: phrases }];
    const request = { prompts, detector: this.#session.detector.id, ephemeral: true };
    return this.#find("texts", request, objectsOfTexts);
  }

  /** Find all objects. The job is a usual one, not an ephemeral one: its result may be too large for that. */
  everything() {
    return this.#find("everything", { prompts: "everything" }, objectsOfEverything);
  }

  /** Stop the search that runs. */
  stop() {
    const { running, service } = this.#session;
    this.#controller.abort();
    if (running?.job) service.cancel(running.job).catch(() => {}); // it may have ended meanwhile
    this.#session.set({ running: null });
  }

  async #find(name, asked, objectsOf) {
    const session = this.#session;
    const { signal } = (this.#controller = new AbortController());
    const { photo, model } = session;
    session.set({ running: { name }, found: null, problem: null, draft: null, preview: null });
    try {
      const request = { image: photo.image, model, outputs: ["rle"], priority: "interactive", ...asked };
      const job = await session.service.ended(await session.service.submit(request, 0, signal), signal, (state) => {
        const { done = 0, total = 0 } = state.progress ?? {};
        session.set({ running: { name, job: state.id, share: total ? done / total : null } });
      });
      const found = objectsOf(job.result, nextNumber(session.state));
      session.set({ running: null });
      if (found.length > 0) session.push(withObjects(session.state, found));
      session.set({ found: found.length });
    } catch (error) {
      if (!signal.aborted) session.failed(error, { running: null });
    }
  }
}
