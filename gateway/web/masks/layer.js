// All masks, painted once into a picture of their own. While the view moves, only that picture is drawn.

import { EDGE, bitmapOf, pixelsOf } from "./bitmap.js";

const FILL = 0.38;
const FILL_OF_SELECTED = 0.5;

export class Layer {
  #canvas = null;
  #bitmaps = new Map(); // by mask: its bitmap in the present grid, and whether it was selected
  grid = null;

  /**
   * Paint the masks, the largest first and the selected one last. A pixel has the colour of one mask, as in the service's
   * overlays: fills on top of each other would hide the photo. All edges stay visible.
   *
   * @param shown a list of `{mask, colour, isSelected}`.
   * @param grid see `bitmapOf`. Bitmaps that were made for the same grid before are not made again.
   */
  paint(shown, grid, stroke, fill = FILL) {
    const isSame = this.grid && JSON.stringify(grid) === JSON.stringify(this.grid);
    const before = isSame ? this.#bitmaps : new Map();
    this.#bitmaps = new Map();
    this.grid = grid;
    if (!isSame || !this.#canvas) this.#canvas = new OffscreenCanvas(grid.width, grid.height);
    const context = this.#canvas.getContext("2d");
    const image = context.createImageData(grid.width, grid.height);
    const upwards = shown.toSorted((a, b) => a.isSelected - b.isSelected || b.mask.area - a.mask.area);
    for (const { mask, colour, isSelected } of upwards) {
      let made = before.get(mask);
      if (made?.isSelected !== isSelected) {
        made = { isSelected, bitmap: bitmapOf(mask, grid, isSelected ? 2 * stroke : stroke) };
      }
      this.#bitmaps.set(mask, made);
      if (made.bitmap) write(image, made.bitmap, pixelsOf(colour, isSelected ? FILL_OF_SELECTED : fill));
    }
    context.putImageData(image, 0, 0);
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
    this.#bitmaps = new Map();
  }
}

/** Write a bitmap over those below it, except that the inside does not cover their edges. */
function write({ width, data }, bitmap, pixels) {
  const words = new Uint32Array(data.buffer);
  for (let row = 0, at = 0; row < bitmap.height; row++) {
    let to = (bitmap.y + row) * width + bitmap.x;
    for (const end = at + bitmap.width; at < end; at++, to++) {
      const cell = bitmap.cells[at];
      if (cell === EDGE || (cell !== 0 && data[4 * to + 3] < 255)) words[to] = pixels[cell];
    }
  }
}
