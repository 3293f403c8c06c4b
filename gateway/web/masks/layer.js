// All masks, painted once into a picture of their own. While the view moves, only that picture is drawn.

import { bitmapOf, painted } from "./bitmap.js";

const FILL = 0.38;
const FILL_OF_SELECTED = 0.5;

export class Layer {
  #canvas = null;
  #shapes = new Map(); // by mask: what was painted in the present grid
  grid = null;

  /**
   * Paint the masks.
   *
   * @param shown a list of `{mask, colour, isSelected}`, the lowest first.
   * @param grid see `bitmapOf`. Masks that were painted in the same grid before are not painted again.
   */
  paint(shown, grid, stroke) {
    const isSame = this.grid && JSON.stringify(grid) === JSON.stringify(this.grid);
    const before = isSame ? this.#shapes : new Map();
    this.#shapes = new Map();
    this.grid = grid;
    if (!isSame || !this.#canvas) this.#canvas = new OffscreenCanvas(grid.width, grid.height);
    const context = this.#canvas.getContext("2d");
    context.clearRect(0, 0, grid.width, grid.height);
    for (const { mask, colour, isSelected } of shown) {
      const look = `${colour} ${isSelected}`;
      let shape = before.get(mask);
      if (shape?.look !== look) shape = { look, ...shapeOf(mask, grid, colour, isSelected, stroke) };
      this.#shapes.set(mask, shape);
      if (shape.canvas) context.drawImage(shape.canvas, shape.x, shape.y);
    }
  }

  /** Draw what was painted. `view` maps the image to the context. */
  draw(context, view) {
    if (!this.grid) return;
    const { x, y, width, height } = this.rectangle(view);
    context.imageSmoothingEnabled = true;
    context.drawImage(this.#canvas, x, y, width, height);
  }

  /** Return where the grid is in the view. */
  rectangle(view) {
    const { x, y, scale, width, height } = this.grid;
    const zoom = view.scale / scale;
    return { x: x * view.scale + view.x, y: y * view.scale + view.y, width: width * zoom, height: height * zoom };
  }

  forget() {
    this.grid = null;
    this.#shapes = new Map();
  }
}

function shapeOf(mask, grid, colour, isSelected, stroke) {
  const bitmap = bitmapOf(mask, grid, isSelected ? 2 * stroke : stroke);
  if (!bitmap) return { canvas: null };
  return { x: bitmap.x, y: bitmap.y, canvas: painted(bitmap, colour, isSelected ? FILL_OF_SELECTED : FILL) };
}
