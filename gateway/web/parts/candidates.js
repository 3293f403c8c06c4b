// The masks of an ambiguous click, small, to choose from.

import { bitmapOf, painted } from "../masks/bitmap.js";
import { colourOf } from "../objects/colours.js";
import { changed, selectedOf } from "../objects/objects.js";
import { element } from "../page/element.js";
import { number, text } from "../texts/texts.js";

const SIDE = 152; // pixels of a picture, twice what it has on the screen
const MARGIN = 1.25; // how much larger than the largest mask the pictures are

export class Candidates {
  #session;
  #box = document.querySelector("#candidates");
  #shown = null;

  constructor(session) {
    this.#session = session;
    session.addEventListener("change", () => this.show());
    this.#box.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.next(step);
      this.#box.querySelector("[aria-checked=true]").focus();
    });
  }

  show() {
    const object = this.#session.draft ? null : selectedOf(this.#session.state);
    const hasChoice = object !== null && object.candidates.length > 1;
    this.#box.hidden = !hasChoice;
    if (!hasChoice) return void (this.#shown = null);
    if (this.#shown !== object.candidates) this.#box.replaceChildren(...this.#buttons(object));
    this.#shown = object.candidates;
    [...this.#box.children].forEach((button, i) => {
      button.setAttribute("aria-checked", i === object.chosen);
      button.tabIndex = i === object.chosen ? 0 : -1;
    });
  }

  /** Choose the next candidate of the selected object. */
  next(step = 1) {
    const object = selectedOf(this.#session.state);
    if (!object) return;
    const count = object.candidates.length;
    this.#choose(object, (object.chosen + step + count) % count);
  }

  #choose(object, chosen) {
    const session = this.#session;
    if (chosen === object.chosen) return;
    session.push(changed(session.state, object.number, { chosen }));
  }

  #buttons(object) {
    const region = regionOf(object.candidates);
    return object.candidates.map((candidate, i) => {
      const canvas = element("canvas", { width: SIDE, height: SIDE });
      // Later, because the mask should be on the screen first.
      setTimeout(() => this.#draw(canvas.getContext("2d"), candidate.mask, region, colourOf(object.number)));
      const name = text("candidate", { number: i + 1, score: number(candidate.score, 2) });
      const choose = () => this.#choose(selectedOf(this.#session.state), i);
      const properties = { type: "button", role: "radio", "aria-label": name, title: name, onclick: choose };
      return element("button", properties, canvas, number(candidate.score, 2));
    });
  }

  #draw(context, mask, [x, y, side], colour) {
    const scale = SIDE / side;
    this.#session.photo.picture.draw(context, { scale, x: -x * scale, y: -y * scale }, { width: SIDE, height: SIDE });
    const bitmap = bitmapOf(mask, { x, y, scale, width: SIDE, height: SIDE }, 2);
    if (bitmap) context.drawImage(painted(bitmap, colour, 0.5), bitmap.x, bitmap.y);
  }
}

/** Return a square around all candidates: x, y and its side. */
function regionOf(candidates) {
  const boxes = candidates.map(({ mask }) => mask.box).filter((box) => box[2] > box[0]);
  const low = (i) => Math.min(...boxes.map((box) => box[i]));
  const high = (i) => Math.max(...boxes.map((box) => box[i]));
  if (boxes.length === 0) return [0, 0, candidates[0].mask.width];
  const side = MARGIN * Math.max(high(2) - low(0), high(3) - low(1), 16);
  return [(low(0) + high(2) - side) / 2, (low(1) + high(3) - side) / 2, side];
}
