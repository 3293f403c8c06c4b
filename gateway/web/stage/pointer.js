// What the mouse and fingers do on the stage.

import { objectAt, withSelected } from "../objects/objects.js";

const CLICK_PIXELS = 5; // a press that moves less is a click, not a box (CSS pixels)
const WHEEL_STEP = 0.0016; // of the zoom's logarithm, for each pixel of the wheel

export class Pointer {
  #stage;
  #session;
  #clicking;
  #hovering;
  #fingers = new Map(); // by pointer id: where it is, in device pixels
  #press = null; // {event, kind, from}
  tool = "positive"; // or "negative", "box", "move"
  isSpaceDown = false;
  onPlace = () => {}; // is called with the point of the image under the mouse, or null

  constructor(canvas, { stage, session, clicking, hovering }) {
    this.#stage = stage;
    this.#session = session;
    this.#clicking = clicking;
    this.#hovering = hovering;
    canvas.addEventListener("pointerdown", (event) => this.#down(event, canvas));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#cancel(event));
    canvas.addEventListener("pointerleave", () => this.#leave());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Return the label that a click would give: 1 on the object, 0 beside it. */
  #labelOf(event) {
    const isOther = event.button === 2 || event.altKey || event.buttons === 2;
    return (this.tool === "negative") !== isOther ? 0 : 1;
  }

  #down(event, canvas) {
    if (!this.#stage.view) return;
    canvas.setPointerCapture(event.pointerId);
    const place = this.#stage.placeOf(event);
    this.#fingers.set(event.pointerId, place);
    this.#stage.cross = null;
    this.#hovering.leave(place);
    this.#stage.drag = null;
    const pans = event.button === 1 || this.isSpaceDown || this.tool === "move" || this.#fingers.size > 1;
    this.#press = { place, last: place, kind: pans ? "pan" : "click", point: this.#stage.pointAt(event) };
    if (event.button === 1) event.preventDefault(); // no automatic scrolling
  }

  #move(event) {
    const place = this.#stage.placeOf(event);
    const before = this.#fingers.get(event.pointerId);
    if (!before) return this.#hover(event, place);
    if (this.#fingers.size === 2) this.#pinch(event.pointerId, before, place);
    this.#fingers.set(event.pointerId, place);
    if (this.#fingers.size > 1 || !this.#press) return;
    const press = this.#press;
    const isFar = Math.hypot(place[0] - press.place[0], place[1] - press.place[1]) > CLICK_PIXELS * this.#stage.ratio;
    if (press.kind === "click" && isFar) press.kind = this.#dragKind(event);
    if (press.kind === "pan") this.#stage.move(place[0] - press.last[0], place[1] - press.last[1]);
    if (press.kind === "box") this.#drag(event);
    press.last = place;
  }

  /** A finger moves the photo unless the box is chosen; a mouse draws a box. */
  #dragKind(event) {
    if (event.pointerType === "touch" && this.tool !== "box") return "pan";
    return this.#press.point && this.#session.canClick ? "box" : "pan";
  }

  #drag(event) {
    const { photo } = this.#session;
    const { point } = this.#press;
    const [x, y] = this.#clamped(event, photo);
    this.#stage.drag = [Math.min(point[0], x), Math.min(point[1], y), Math.max(point[0], x), Math.max(point[1], y)];
    this.#stage.draw();
  }

  #clamped(event, photo) {
    const { view } = this.#stage;
    const [left, top] = this.#stage.placeOf(event);
    const within = (value, size) => Math.min(Math.max(value, 0), size);
    return [within((left - view.x) / view.scale, photo.width), within((top - view.y) / view.scale, photo.height)];
  }

  #up(event) {
    const press = this.#press;
    this.#fingers.delete(event.pointerId);
    this.#press = null;
    const box = this.#stage.drag;
    this.#stage.drag = null;
    this.#stage.draw();
    if (!press || this.#fingers.size > 0) return;
    if (press.kind === "box" && box) this.#clicking.box(rounded(box));
    if (press.kind === "click" && press.point) this.#click(event, press.point);
  }

  #click(event, point) {
    const { state } = this.#session;
    if (event.shiftKey) return this.#session.replace(withSelected(state, objectAt(state, point)?.number ?? null));
    if (!this.#session.canClick) return undefined;
    return this.#clicking.point(rounded(point), this.#labelOf(event));
  }

  #cancel(event) {
    this.#fingers.delete(event.pointerId);
    this.#press = null;
    this.#stage.drag = null;
    this.#stage.draw();
  }

  #hover(event, place) {
    if (event.pointerType === "touch") return;
    const point = this.#stage.pointAt(event);
    this.onPlace(point);
    if (!point || this.tool === "box" || this.tool === "move" || event.shiftKey) return this.#hovering.leave();
    this.#hovering.move(rounded(point), this.#labelOf(event), place);
  }

  #leave() {
    this.onPlace(null);
    this.#hovering.leave();
  }

  #pinch(id, before, place) {
    const [other] = [...this.#fingers].filter(([each]) => each !== id).map(([, at]) => at);
    const span = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
    const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
    this.#stage.move((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
    if (span(before) > 0) this.#stage.zoom(span(place) / span(before), middle);
    if (this.#press) this.#press.kind = "pan";
  }

  #wheel(event) {
    if (!this.#stage.view) return;
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? 33 : 1; // of a line
    const { ratio } = this.#stage;
    this.#hovering.leave();
    if (event.shiftKey) return this.#stage.move(-(event.deltaX + event.deltaY) * pixels * ratio, 0);
    const strength = event.ctrlKey ? 6 : 1; // two fingers on a touch pad send small steps with ctrl
    return this.#stage.zoom(Math.exp(-event.deltaY * pixels * WHEEL_STEP * strength), this.#stage.placeOf(event));
  }
}

/** Return coordinates with a tenth of a pixel, which is finer than any network. */
function rounded(numbers) {
  return numbers.map((each) => Math.round(each * 10) / 10);
}
