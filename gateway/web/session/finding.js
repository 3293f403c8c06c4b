// Finds many objects in one job: those that phrases name, or everything. What is found is drawn while the job runs.

import { Mask } from "../masks/mask.js";
import { objectsOfEverything, objectsOfTexts } from "../objects/answers.js";
import { nextNumber, withObjects } from "../objects/objects.js";
import { followed } from "../service/following.js";

export class Finding {
  #session;
  #controller = new AbortController();

  constructor(session) {
    this.#session = session;
    session.addEventListener("opened", () => this.stop()); // the search was in the photo before
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

  /** Stop the search that runs, if there is one. */
  stop() {
    this.#controller.abort();
    if (this.#session.running) this.#session.set({ running: null });
  }

  async #find(name, asked, objectsOf) {
    const session = this.#session;
    const { signal } = (this.#controller = new AbortController());
    const { photo, model } = session;
    session.set({ running: { name, stage: "queued" }, found: null, problem: null, draft: null, preview: null });
    try {
      const request = { image: photo.image, model, outputs: ["rle"], priority: "interactive", ...asked };
      const { result } = await this.#ended(request, signal);
      const found = objectsOf(result, nextNumber(session.state));
      session.set({ running: null });
      if (found.length > 0) session.push(withObjects(session.state, found));
      session.set({ found: found.length });
    } catch (error) {
      if (!signal.aborted) session.failed(error, { running: null });
    }
  }

  /** Run a job and show its progress. If the search is stopped, the job is canceled, also one that is just being sent. */
  async #ended(request, signal) {
    const session = this.#session;
    const job = await session.service.submit(request);
    const cancel = () => session.service.cancel(job.id).catch(() => {}); // it may have ended meanwhile
    if (signal.aborted) cancel();
    signal.throwIfAborted();
    signal.addEventListener("abort", cancel);
    try {
      return await followed(session.service, job, signal, (type, data) => {
        session.set({ running: progressed(session.running, type, data) });
      });
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }
}

/** Return `running` after an event of the job. */
function progressed(running, type, data) {
  const { masks = [], boxes = [] } = running;
  if (type === "job.progress") return { ...running, share: data.total ? data.done / data.total : null };
  if (type === "job.stage") return { ...running, stage: data.stage };
  if (type === "job.position") return { ...running, stage: "queued", ahead: data.queue.ahead };
  if (type === "job.queued") return { name: running.name, stage: "queued" }; // a worker was lost: from the beginning
  if (data.status === "running") return { ...running, stage: "decoding_masks" }; // until its next stage is reported
  if (type !== "job.partial") return running;
  const added = (data.masks ?? []).map((mask) => Mask.of({ counts: mask.rleResult, size: mask.size }));
  return { ...running, masks: [...masks, ...added], boxes: data.boxes?.map((box) => box.coordinate) ?? boxes };
}
