// Opens a photo: decodes it here, and sends it to the service, which makes its embedding meanwhile.

import { digestOf } from "../picture/digest.js";
import { Picture } from "../picture/picture.js";

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
      const reading = blob.arrayBuffer().then(digestOf);
      const picture = await Picture.decode(blob).catch(() => null); // the service may know the format
      const photo = { name, blob, image: { sha256: await reading } };
      if (signal.aborted) picture?.close();
      else if (picture) this.#show(photo, picture);
      else return await this.#openWithPreview(photo, signal);
    } catch (error) {
      return session.failed(error, { progress: null });
    }
    return this.warm();
  }

  /** Open the image behind a URL: the service fetches it. */
  async openUrl(url) {
    const session = this.#session;
    const signal = this.#begin();
    session.set({ progress: { stage: "fetching" }, problem: null });
    try {
      const sent = await session.service.embedUrl(url, session.model, signal);
      const blob = await session.service.file(await session.service.ended(sent, signal), "image", signal);
      await this.open(blob, new URL(url).pathname.split("/").at(-1) || "photo");
    } catch (error) {
      if (!signal.aborted) session.failed(error, { progress: null });
    }
  }

  /** Show a photo of which only the size is known. Nothing can be clicked in it. */
  openBlank(width, height, name) {
    this.#begin();
    this.#show({ name, blob: null, image: null }, Picture.blank(width, height));
    this.#session.set({ progress: null });
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
      const { width, height } = job.image;
      if (width !== photo.width || height !== photo.height) await this.#showPreview(photo, job, signal);
      session.set({ progress: null });
    } catch (error) {
      if (!signal.aborted) session.failed(error, { progress: null });
    }
  }

  /** Open a file that the browser cannot decode: show the service's preview of it. */
  async #openWithPreview(photo, signal) {
    const { service, model } = this.#session;
    this.#session.set({ progress: { stage: "sending" } });
    const job = await service.ended(await service.embed(photo.blob, model, signal), signal);
    await this.#showPreview(photo, job, signal);
    this.#session.set({ progress: null });
  }

  /** Show the service's preview, which is upright as the service sees the image. */
  async #showPreview(photo, job, signal) {
    const preview = await this.#session.service.file(job, "preview", signal);
    const picture = await Picture.decode(preview, job.image.width, job.image.height);
    if (signal.aborted) return picture.close();
    this.#show(photo, picture);
    this.#session.set({ photo: { ...this.#session.photo, isSent: true } });
    return undefined;
  }

  #show({ name, blob, image }, picture) {
    const { width, height } = picture;
    this.#session.photo?.picture.close();
    this.#session.open({ name, blob, image, picture, width, height, isSent: false });
  }

  #begin() {
    this.#controller.abort();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }
}
