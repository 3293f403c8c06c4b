// The image on the screen: the full picture and smaller copies of it, of which each view draws the one that fits.

import { visible } from "../stage/view.js";

const SMALLEST = 1024; // pixels of the longer side, below which a smaller copy saves nothing
const GREY = "#80858f";
const CRISP_SCALE = 4; // from here on a person looks at single pixels

export class Picture {
  /** `levels` are bitmaps, each half as large as the one before. The image may be larger than the first of them. */
  constructor(levels, width = levels[0].width, height = levels[0].height) {
    this.levels = levels;
    this.width = width;
    this.height = height;
  }

  /**
   * Decode a file, upright: with its EXIF orientation applied, as the service sees it. Throws a DOMException if the browser
   * cannot decode it. `width` and `height` are those of the image, if the file is a smaller copy.
   */
  static async decode(blob, width = undefined, height = undefined) {
    const levels = [await createImageBitmap(blob, { imageOrientation: "from-image" })];
    for (let last = levels[0]; Math.max(last.width, last.height) > SMALLEST; last = levels.at(-1)) {
      const [resizeWidth, resizeHeight] = [Math.ceil(last.width / 2), Math.ceil(last.height / 2)];
      levels.push(await createImageBitmap(last, { resizeWidth, resizeHeight, resizeQuality: "medium" }));
    }
    return new Picture(levels, width, height);
  }

  /** Return a grey picture, for masks whose photo is no longer stored. */
  static blank(width, height) {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    context.fillStyle = GREY;
    context.fillRect(0, 0, width, height);
    return new Picture([canvas.transferToImageBitmap()]);
  }

  /** Draw the part that a screen shows. */
  draw(context, view, screen) {
    const level = this.levels.findLast((each) => each.width >= this.width * view.scale) ?? this.levels[0];
    const ratio = level.width / this.width;
    const [x0, y0, x1, y1] = visible(view, this, screen);
    if (x1 <= x0 || y1 <= y0) return;
    context.imageSmoothingEnabled = view.scale < CRISP_SCALE;
    context.drawImage(
      level,
      x0 * ratio, y0 * ratio, (x1 - x0) * ratio, (y1 - y0) * ratio,
      x0 * view.scale + view.x, y0 * view.scale + view.y, (x1 - x0) * view.scale, (y1 - y0) * view.scale,
    );
  }

  /** Free the memory, which a browser would otherwise keep for a while. */
  close() {
    for (const level of this.levels) level.close();
  }
}
