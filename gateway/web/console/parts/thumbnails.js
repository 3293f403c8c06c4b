// Small pictures of jobs in a list. They are read when they come into view, and two at a time.

import { element } from "../../page/element.js";
import { icon } from "../../page/icons.js";

const SIDE = 96; // pixels, for screens with two of them in a CSS pixel
const AT_ONCE = 2; // a file that no worker makes now holds up only the other thumbnails
const MARGIN = "200px"; // below the visible rows, so that a row that scrolls into view has its picture

export class Thumbnails {
  #service;
  #closing = new AbortController();
  #known = new Map(); // by the job's id
  #jobs = new WeakMap(); // by element, until it has come into view
  #waiting = [];
  #running = 0;
  #seen = new IntersectionObserver((entries) => this.#see(entries), { rootMargin: MARGIN });

  constructor(service) {
    this.#service = service;
  }

  /** Return the element of a job. It is the same one until the job has another picture. */
  of(job) {
    const file = fileOf(job);
    const known = this.#known.get(job.id);
    if (known?.file === file) return known.frame;
    const frame = element("span", { class: "thumbnail", "aria-hidden": "true" }, icon("image"));
    this.#known.set(job.id, { file, frame });
    if (file) {
      this.#jobs.set(frame, { job, file });
      this.#seen.observe(frame);
    }
    return frame;
  }

  forget(id) {
    this.#known.delete(id);
  }

  close() {
    this.#closing.abort();
    this.#seen.disconnect();
  }

  #see(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.#seen.unobserve(target);
      this.#waiting.push(target);
    }
    this.#next();
  }

  #next() {
    while (this.#running < AT_ONCE && this.#waiting.length && !this.#closing.signal.aborted) {
      this.#running++;
      this.#read(this.#waiting.shift()).finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }

  async #read(frame) {
    const { job, file } = this.#jobs.get(frame);
    try {
      const blob = await this.#service.file(job, file, this.#closing.signal);
      frame.replaceChildren(await small(blob, job.image));
    } catch {
      // The file was removed from storage, or is no picture for this browser: the placeholder stays.
    }
  }
}

/** Return the file of a job that shows it best, or null. A preview is made by a worker, so it needs a readable image. */
function fileOf({ files, status, image }) {
  if (files.overlay) return files.overlay.key.split("/").at(-1);
  return status === "succeeded" && image.width ? "preview" : null;
}

/** Return a canvas with the middle of a picture. */
async function small(blob, { width, height }) {
  const ratio = SIDE / Math.min(width, height);
  const size = { resizeWidth: Math.max(Math.round(width * ratio), SIDE), resizeHeight: Math.max(Math.round(height * ratio), SIDE) };
  const bitmap = await createImageBitmap(blob, { ...size, resizeQuality: "medium" });
  const canvas = element("canvas", { width: SIDE, height: SIDE });
  canvas.getContext("2d").drawImage(bitmap, (SIDE - bitmap.width) / 2, (SIDE - bitmap.height) / 2);
  bitmap.close();
  return canvas;
}
