// Opens a photo: decodes it here, and sends it to the service, which makes its embedding meanwhile.

import { History } from "../objects/history.js";
import { NOTHING } from "../objects/objects.js";
import { digestOf } from "../picture/digest.js";
import { Picture } from "../picture/picture.js";
import { Problem } from "../service/problem.js";

export class Opening {
  #session;
  #controller = new AbortController();

  constructor(session) {
    this.#session = session;
  }

  /** Open a file in place of the present photo. `name` is shown and names exported files. */
  async open(blob, name) {
    const session = this.#session;
    const signal = this.#begin();
    session.set({ progress: { stage: "reading" }, problem: null });
    try {
      const sending = blob.arrayBuffer().then(digestOf);
      const [picture, sha256] = await Promise.all([decoded(blob), sending]);
      if (signal.aborted) return picture.close();
      this.#show({ name, blob, picture, image: { sha256 } });
    } catch (error) {
      return session.failed(error, { progress: null });
    }
    await this.warm();
  }

  /** Show a photo of which only the size is known. Nothing can be clicked in it. */
  openBlank(width, height, name) {
    this.#begin();
    this.#show({ name, blob: null, picture: Picture.blank(width, height), image: null });
  }

  /** Have the chosen model's embedding of the photo made; also needed after another model was chosen. */
  async warm() {
    const session = this.#session;
    const { photo } = session;
    if (!photo?.blob) return;
    const signal = this.#begin();
    session.set({ progress: { stage: "sending" }, problem: null });
    try {
      const sent = await session.service.embed(photo.blob, session.model, signal);
      session.set({ photo: { ...photo, isSent: true }, progress: { stage: "encoding" } });
      const job = await session.service.ended(sent, signal);
      const isSame = job.image.width === photo.width && job.image.height === photo.height;
      if (!isSame) throw new Problem(0, "other_orientation", `${job.image.width} x ${job.image.height}`);
      session.set({ progress: null });
    } catch (error) {
      if (!signal.aborted) session.failed(error, { progress: null });
    }
  }

  #show({ picture, ...facts }) {
    this.#session.photo?.picture.close();
    const photo = { ...facts, picture, width: picture.width, height: picture.height, isSent: false };
    this.#session.set({ ...EMPTY, photo, history: new History(NOTHING) });
  }

  #begin() {
    this.#controller.abort();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }
}

const EMPTY = { draft: null, preview: null, running: null, savedAs: null, clickMs: null };

async function decoded(blob) {
  try {
    return await Picture.decode(blob);
  } catch (error) {
    throw new Problem(0, "cannot_decode", error.message);
  }
}
