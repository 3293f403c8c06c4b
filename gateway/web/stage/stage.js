// The canvas with the photo and everything on it. It draws at most once for each frame, and only if something changed.

import { bitmapOf, painted } from "../masks/bitmap.js";
import { Layer } from "../masks/layer.js";
import { colourOf } from "../objects/colours.js";
import { chosenOf, nextNumber, selectedOf } from "../objects/objects.js";
import { drawBox, drawCross, drawPoints } from "./marks.js";
import { fitted, moved, toImage, visible, zoomed } from "./view.js";

const MARGIN = 28; // CSS pixels around the photo
const REST_MS = 90; // without movement, after which what is visible is painted in full detail
const DETAIL_MARGIN = 0.25; // of the screen, painted around what is visible
const MAX_CELLS = 8e6; // of a layer: 32 MB
const WHITE = [255, 255, 255];
const PREVIEW_FILL = 0.3;

export class Stage extends EventTarget {
  #canvas;
  #session;
  #whole = new Layer(); // all masks of the whole photo, as detailed as the fitted view needs
  #detail = new Layer(); // what is visible, in the detail of the present view
  #found = new Layer(); // what a search that runs has found so far, as detailed as #whole
  #previewed = { mask: null, canvas: null };
  #frame = 0;
  #rest = 0;
  #shown = null; // what the layers contain
  view = null; // in device pixels, see view.js
  fit = null;
  screen = { width: 1, height: 1 };
  drag = null; // a box that is being drawn, [x0, y0, x1, y1] in the image
  cross = null; // where the keyboard points, in the image

  constructor(canvas, session) {
    super();
    this.#canvas = canvas;
    this.#session = session;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    session.addEventListener("change", () => this.draw());
  }

  get ratio() {
    return globalThis.devicePixelRatio || 1;
  }

  /** Return the point of the image at a mouse event, or null outside the photo. */
  pointAt(event) {
    const point = this.view && toImage(this.view, this.placeOf(event));
    const { photo } = this.#session;
    return point && point[0] >= 0 && point[1] >= 0 && point[0] < photo.width && point[1] < photo.height ? point : null;
  }

  /** Return where a mouse event is on the canvas, in device pixels. */
  placeOf(event) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return [(event.clientX - left) * this.ratio, (event.clientY - top) * this.ratio];
  }

  /** Show the whole photo. */
  showAll() {
    const { photo } = this.#session;
    if (!photo) return;
    this.fit = fitted(photo, this.screen, MARGIN * this.ratio);
    this.#look(this.fit);
    this.#whole.forget();
  }

  zoom(factor, place = [this.screen.width / 2, this.screen.height / 2]) {
    if (this.view) this.#look(zoomed(this.view, factor, place, this.fit));
  }

  move(dx, dy) {
    if (this.view) this.#look(moved(this.view, dx, dy, this.#session.photo, this.screen));
  }

  /** Draw in the next frame. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render();
    });
  }

  #look(view) {
    this.view = view;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#paintDetail(), REST_MS);
    this.draw();
    this.dispatchEvent(new Event("look"));
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    const wasFitted = !this.view || this.view === this.fit;
    this.screen = { width: Math.round(clientWidth * this.ratio), height: Math.round(clientHeight * this.ratio) };
    Object.assign(this.#canvas, this.screen);
    const { photo } = this.#session;
    if (photo && wasFitted) this.showAll();
    else if (photo) this.fit = fitted(photo, this.screen, MARGIN * this.ratio);
    this.#render(); // in this frame: a canvas of a new size is empty
  }

  #render() {
    const context = this.#canvas.getContext("2d", { alpha: false });
    context.fillStyle = getComputedStyle(this.#canvas.parentElement).backgroundColor;
    context.fillRect(0, 0, this.screen.width, this.screen.height);
    const { photo } = this.#session;
    if (!photo || !this.view) return;
    photo.picture.draw(context, this.view, this.screen);
    this.#paintWhole();
    this.#drawMasks(context);
    this.#drawFound(context);
    this.#drawPreview(context);
    this.#drawMarks(context);
    this.dispatchEvent(new Event("drawn"));
  }

  #paintWhole() {
    const { photo, state } = this.#session;
    if (this.#shown === state && this.#whole.grid) return;
    const scale = Math.min(this.fit.scale, Math.sqrt(MAX_CELLS / (photo.width * photo.height)));
    const grid = { x: 0, y: 0, scale, width: Math.ceil(photo.width * scale), height: Math.ceil(photo.height * scale) };
    this.#whole.paint(masksOf(state), grid, this.#stroke);
    if (this.#shown !== state && this.#detail.grid) this.#detail.paint(masksOf(state), this.#detail.grid, this.#stroke);
    this.#shown = state;
  }

  /** Paint what is visible in the detail of the view. The whole layer is detailed enough for a view that is not closer. */
  #paintDetail() {
    const { photo, state } = this.#session;
    if (!photo || this.view.scale <= (this.#whole.grid?.scale ?? 0) * 1.01) return this.#detail.forget();
    const [x0, y0, x1, y1] = visible(this.view, photo, this.screen, DETAIL_MARGIN);
    if (x1 <= x0 || y1 <= y0) return;
    const scale = Math.min(this.view.scale, Math.sqrt(MAX_CELLS / ((x1 - x0) * (y1 - y0))));
    const grid = { x: x0, y: y0, scale, width: Math.ceil((x1 - x0) * scale), height: Math.ceil((y1 - y0) * scale) };
    this.#detail.paint(masksOf(state), grid, this.#stroke);
    this.draw();
  }

  get #stroke() {
    return Math.max(Math.round(this.ratio), 1);
  }

  #drawMasks(context) {
    if (!this.#detail.grid) return this.#whole.draw(context, this.view);
    const { x, y, width, height } = this.#detail.rectangle(this.view);
    context.save();
    context.beginPath();
    context.rect(0, 0, this.screen.width, this.screen.height);
    context.rect(x, y, width, height);
    context.clip("evenodd"); // the rest of the screen
    this.#whole.draw(context, this.view);
    context.restore();
    this.#detail.draw(context, this.view);
  }

  /** Draw the masks and boxes that a search has found so far. */
  #drawFound(context) {
    const { masks = [], boxes = [] } = this.#session.running ?? {};
    if (masks.length === 0) this.#found.forget();
    else {
      const shown = masks.map((mask, i) => ({ mask, colour: colourOf(i + 1), isSelected: false }));
      this.#found.paint(shown, this.#whole.grid, this.#stroke);
      this.#found.draw(context, this.view);
    }
    boxes.forEach((box, i) => drawBox(context, this.view, box, colourOf(i + 1), this.ratio));
  }

  #drawPreview(context) {
    const { preview } = this.#session;
    if (!preview) return;
    const { mask } = preview;
    if (this.#previewed.mask !== mask) this.#previewed = { mask, ...this.#paintedPreview(mask) };
    const { canvas, grid, bitmap } = this.#previewed;
    if (!canvas) return;
    const zoom = this.view.scale / grid.scale;
    context.drawImage(
      canvas, bitmap.x * zoom + this.view.x, bitmap.y * zoom + this.view.y, bitmap.width * zoom, bitmap.height * zoom,
    );
  }

  #paintedPreview(mask) {
    const scale = Math.min(this.view.scale, Math.sqrt(MAX_CELLS / (mask.width * mask.height)));
    const grid = { x: 0, y: 0, scale, width: Math.ceil(mask.width * scale), height: Math.ceil(mask.height * scale) };
    const bitmap = bitmapOf(mask, grid, this.#stroke);
    return bitmap ? { grid, bitmap, canvas: this.#paintPreview(bitmap) } : { canvas: null };
  }

  /** A new object is filled with the colour that it would have. An object that would change is only outlined. */
  #paintPreview(bitmap) {
    const { state } = this.#session;
    return painted(bitmap, colourOf(nextNumber(state)), state.selected ? 0 : PREVIEW_FILL, WHITE);
  }

  #drawMarks(context) {
    const { draft, state } = this.#session;
    const object = draft ?? selectedOf(state);
    if (object) {
      if (object.prompt.box) drawBox(context, this.view, object.prompt.box, colourOf(object.number), this.ratio);
      drawPoints(context, this.view, object.prompt, colourOf(object.number), this.ratio);
    }
    if (this.drag) drawBox(context, this.view, this.drag, WHITE, this.ratio);
    if (this.cross && document.activeElement === this.#canvas) drawCross(context, this.view, this.cross, this.ratio);
  }
}

function masksOf(state) {
  return state.objects.map((object) => ({
    mask: chosenOf(object).mask,
    colour: colourOf(object.number),
    isSelected: object.number === state.selected,
  }));
}
