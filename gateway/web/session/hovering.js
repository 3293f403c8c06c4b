// Shows what a click would give while the mouse moves. At most one request is in flight; the next one asks about the place
// where the mouse is then, and an answer for a place that it has left is dropped.

import { candidatesOf } from "../objects/answers.js";
import { EMPTY_PROMPT, selectedOf, withPoint } from "../objects/objects.js";
import { clickRequest } from "./clicking.js";

const FAST_ENOUGH_MS = 400; // a preview that comes later than this follows the mouse too slowly to help
const SLOW_ANSWERS = 3; // after so many in a row there are no previews until a person turns them on again
const NEAR = 40; // pixels of the screen: an answer for a place this near to the mouse is not stale
const LEAVES_CLICK = 12; // pixels of the screen

export class Hovering {
  #session;
  #place = null; // {point, label, screen, photo}: where the mouse is
  #clicked = null; // where the last click was, until the mouse has left that place
  #isBusy = false;
  #slow = 0;
  isOn = true;

  constructor(session) {
    this.#session = session;
    session.addEventListener("opened", () => this.leave());
  }

  /** Turn previews on or off. */
  turn(isOn) {
    this.isOn = isOn;
    this.#slow = 0;
    if (!isOn) this.leave();
  }

  /** The mouse is over a point of the image, at a place of the screen. */
  move(point, label, screen) {
    if (this.#clicked && distance(this.#clicked, screen) < LEAVES_CLICK) return;
    this.#clicked = null;
    this.#place = { point, label, screen, photo: this.#session.photo };
    if (!this.#isBusy) this.#ask();
  }

  /** The mouse is elsewhere, or something else happens. After a click at a place of the screen nothing is shown near it. */
  leave(clicked = null) {
    this.#place = null;
    this.#clicked = clicked;
    if (this.#session.preview) this.#session.set({ preview: null });
  }

  async #ask() {
    const session = this.#session;
    const place = this.#place;
    if (!this.isOn || !place || !session.canClick || session.progress || session.draft || session.running) return;
    const selected = selectedOf(session.state);
    if (!selected && place.label === 0) return;
    const prompt = selected
      ? withPoint(selected, place.point, place.label)
      : { ...EMPTY_PROMPT, points: [place.point], labels: [1] };
    this.#isBusy = true;
    const start = performance.now();
    try {
      const job = await session.service.run(clickRequest(session.photo, session.model, prompt, "best"));
      this.#measure(performance.now() - start);
      this.#show(job, place);
    } catch {
      this.#slow++; // a click reports what is wrong
    }
    this.#isBusy = false;
    const now = this.#place;
    if (now && now !== place) this.#ask();
  }

  #show(job, place) {
    const now = this.#place;
    if (!now || this.#session.draft || now.label !== place.label || now.photo !== place.photo) return;
    if (distance(now.screen, place.screen) > NEAR) return;
    this.#session.set({ preview: candidatesOf(job.result)[0] });
  }

  #measure(milliseconds) {
    this.#slow = milliseconds > FAST_ENOUGH_MS ? this.#slow + 1 : 0;
    if (this.#slow >= SLOW_ANSWERS) {
      this.isOn = false;
      this.leave();
      this.#session.set({});
    }
  }
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
