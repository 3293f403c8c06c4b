// What the page knows: the photo, its objects, what is running. Parts of the page listen to "change" and draw it again.

import { History } from "../objects/history.js";
import { NOTHING } from "../objects/objects.js";
import { Service } from "../service/service.js";

const OF_A_PHOTO = { draft: null, preview: null, running: null, found: null, savedAs: null, clickMs: null };

export class Session extends EventTarget {
  service = new Service();
  who = null; // the session object of the API: who is signed in
  models = []; // of GET /v1/models
  model = null; // the name of the one that makes masks
  photo = null; // see opening.js
  progress = null; // {stage, share}: what the photo waits for; null when it is ready
  history = new History(NOTHING);
  draft = null; // {number, prompt}: what was clicked, until its mask has come
  preview = null; // {mask, score}: what a click here would give
  // {name, stage, share, ahead, masks, boxes}: a search for texts or for everything. `masks` and `boxes` were found so far.
  running = null;
  found = null; // how many objects the last search found, until something else happens
  problem = null; // the last Problem, until the next success
  savedAs = null; // the id of the job that has the present state
  clickMs = null; // from the last click until its mask was on the screen

  constructor() {
    super();
    for (const name of ["lost", "reached"]) this.service.addEventListener(name, () => this.set({}));
  }

  get state() {
    return this.history.present;
  }

  /** Return the model object of the chosen model, or null before the list has come. */
  get chosenModel() {
    return this.models.find((each) => each.id === this.model) ?? null;
  }

  /** Return the detector that a text uses: the service's own if it is installed, otherwise the first that is; or null. */
  get detector() {
    const installed = this.models.filter((each) => each.prompts.includes("text") && each.installed);
    return installed.find((each) => each.is_default) ?? installed[0] ?? null;
  }

  get canClick() {
    return this.photo?.isSent ?? false;
  }

  /** Set fields and announce the change. */
  set(fields) {
    Object.assign(this, fields);
    this.dispatchEvent(new Event("change"));
  }

  /** Begin with another photo. What was asked about the one before is given up: "opened" is dispatched first. */
  open(photo) {
    this.dispatchEvent(new Event("opened"));
    this.set({ ...OF_A_PHOTO, photo, history: new History(NOTHING) });
  }

  /** Make a state of objects the present one, as a step that can be undone. */
  push(state) {
    this.history.push(state);
    this.set({ savedAs: null, found: null });
  }

  /** Change the present state without such a step. */
  replace(state) {
    this.history.replace(state);
    this.set({ found: null });
  }

  undo() {
    this.history.undo();
    this.set({ draft: null, preview: null, savedAs: null });
  }

  redo() {
    this.history.redo();
    this.set({ draft: null, preview: null, savedAs: null });
  }

  /** Show a problem, unless the page itself gave the request up. */
  failed(error, fields = {}) {
    this.set({ ...fields, ...(error.name !== "AbortError" && { problem: error }) });
  }
}
