// The picture of a job with its masks, on the stage of the playground.

import { NOTHING, objectAt } from "../../objects/objects.js";
import { element } from "../../page/element.js";
import { icon } from "../../page/icons.js";
import { Picture } from "../../picture/picture.js";
import { Pointer } from "../../stage/pointer.js";
import { Stage } from "../../stage/stage.js";
import { text } from "../../texts/texts.js";

const NO_CLICKS = { point() {}, box() {}, move() {}, leave() {} };

export class JobPicture {
  #service;
  #reading = new AbortController();
  #source = null; // the file that is shown, or is being read
  #stage;
  #shown = Object.assign(new EventTarget(), { photo: null, state: NOTHING, draft: null, preview: null });
  #note = element("p", { class: "note", hidden: true });
  #empty = element("div", { class: "no-picture" });
  #buttons;

  /** `point(number)` is called with the number of the mask under the mouse, or null. */
  constructor(service, point) {
    this.#service = service;
    const canvas = element("canvas", { role: "img", "aria-label": text("job_picture") });
    this.#buttons = this.#zoomButtons();
    this.element = element("div", { class: "job-picture" }, canvas, this.#empty, this.#note, this.#buttons);
    this.#stage = new Stage(canvas, this.#shown);
    const parts = { stage: this.#stage, session: this.#shown, clicking: NO_CLICKS, hovering: NO_CLICKS };
    const pointer = new Pointer(canvas, parts);
    pointer.tool = "move";
    pointer.onPlace = (place) => point(place ? objectAt(this.#shown.state, place)?.number ?? null : null);
    // The wheel scrolls the page, and with Ctrl it zooms.
    const onlyZoom = (event) => event.ctrlKey || event.stopPropagation();
    this.element.addEventListener("wheel", onlyZoom, { capture: true });
    this.#showEmpty("job_no_picture_yet");
  }

  /** Show masks; `state` is that of the stage. */
  showMasks(state) {
    this.#shown.state = state;
    this.#shown.dispatchEvent(new Event("change"));
  }

  /** Show the picture of a job, if it has another one than before. */
  async showJob(job) {
    const source = sourceOf(job);
    if (source === this.#source && source !== null) return;
    this.#source = source;
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    if (source === null) return this.#showWithout(job);
    try {
      const picture = await this.#read(job, source, signal);
      if (signal.aborted) picture.close();
      else this.#show(picture);
    } catch (problem) {
      if (!signal.aborted) this.#showWithout(job, "job_picture_gone");
    }
    return undefined;
  }

  close() {
    this.#reading.abort();
    this.#shown.photo?.picture.close();
  }

  /** Return a file of the job as a picture: the service's preview, if the browser does not know the format. */
  async #read(job, source, signal) {
    const { width, height } = job.image;
    const picture = await Picture.decode(await this.#service.file(job, source, signal)).catch((error) => error);
    if (picture instanceof Picture) return Object.assign(picture, width && source !== "image" && { width, height });
    if (source !== "image" || picture.status) throw picture;
    return Picture.decode(await this.#service.file(job, "preview", signal), width, height);
  }

  /** Show the masks alone on grey, if the size of the picture is known. */
  #showWithout(job, reason = reasonOf(job)) {
    const { width, height } = job.image;
    if (width && job.is_final) this.#show(Picture.blank(width, height), reason);
    else this.#showEmpty(reason);
  }

  #show(picture, note = null) {
    this.#shown.photo?.picture.close();
    this.#shown.photo = { picture, width: picture.width, height: picture.height };
    this.#empty.hidden = true;
    this.#buttons.hidden = false;
    this.#note.hidden = note === null;
    this.#note.textContent = note ? text(note) : "";
    this.#stage.showAll();
  }

  #showEmpty(reason) {
    if (this.#shown.photo) return;
    this.#buttons.hidden = true;
    this.#empty.replaceChildren(icon("image"), element("p", {}, text(reason)));
  }

  #zoomButtons() {
    const button = (name, label, act) =>
      element("button", { type: "button", class: "tool", "aria-label": text(label), title: text(label), onclick: act }, icon(name));
    return element(
      "div",
      { class: "zoom", role: "toolbar", "aria-label": text("job_zoom") },
      button("add", "job_closer", () => this.#stage.zoom(1.4)),
      button("less", "job_farther", () => this.#stage.zoom(1 / 1.4)),
      button("fit", "job_fit", () => this.#stage.showAll()),
    );
  }
}

/** Return the file that shows a job, or null. A worker must make a preview, which it can do after it has read the image. */
function sourceOf({ ephemeral, files, result, image, is_final }) {
  if (ephemeral) return null;
  if (files.overlay && !result?.masks) return files.overlay.key.split("/").at(-1);
  if (image.key) return "image";
  return is_final && image.width ? "preview" : null;
}

function reasonOf({ ephemeral, is_final }) {
  if (ephemeral) return "job_picture_ephemeral";
  return is_final ? "job_no_picture" : "job_no_picture_yet";
}
