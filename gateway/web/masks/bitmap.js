// A mask in the cells of a grid, which is a part of the image at some scale.

const INSIDE = 1;
export const EDGE = 2;

/**
 * Return the part of a mask that is in a grid: `{x, y, width, height, cells}`, of which x and y are cells of the grid.
 * Null if no cell can belong to the object.
 *
 * @param grid `{x, y, scale, width, height}`: the image's coordinates of its corner, cells for each pixel of the image, and
 *   its size in cells. A cell belongs to the object if the pixel at its centre does.
 * @param stroke how many cells wide the edge is.
 */
export function bitmapOf(mask, grid, stroke) {
  const [x0, y0, x1, y1] = mask.box;
  const left = Math.max(Math.floor((x0 - grid.x) * grid.scale) - 1, 0);
  const top = Math.max(Math.floor((y0 - grid.y) * grid.scale) - 1, 0);
  const width = Math.min(Math.ceil((x1 - grid.x) * grid.scale) + 1, grid.width) - left;
  const height = Math.min(Math.ceil((y1 - grid.y) * grid.scale) + 1, grid.height) - top;
  if (width <= 0 || height <= 0) return null;
  const bitmap = { x: left, y: top, width, height, cells: new Uint8Array(width * height) };
  fill(bitmap, mask, grid);
  markEdge(bitmap, stroke);
  return bitmap;
}

function fill({ x: left, y: top, width, height, cells }, mask, grid) {
  for (let column = 0; column < width; column++) {
    const x = Math.floor(grid.x + (left + column + 0.5) / grid.scale);
    if (x < 0 || x >= mask.width) continue;
    mask.runsOfColumn(x, (y0, y1) => {
      const from = Math.max(Math.ceil((y0 - grid.y) * grid.scale - 0.5) - top, 0);
      const to = Math.min(Math.ceil((y1 - grid.y) * grid.scale - 0.5) - top, height);
      for (let at = from * width + column, end = to * width; at < end; at += width) cells[at] = INSIDE;
    });
  }
}

/** Mark cells of the object that have a neighbour outside it, `stroke` cells away. */
function markEdge({ width, height, cells }, stroke) {
  const down = stroke * width;
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = y * width; x < width; x++, at++) {
      if (cells[at] === 0) continue;
      const isEdge =
        (x >= stroke && cells[at - stroke] === 0) ||
        (x + stroke < width && cells[at + stroke] === 0) ||
        (y >= stroke && cells[at - down] === 0) ||
        (y + stroke < height && cells[at + down] === 0);
      if (isEdge) cells[at] = EDGE;
    }
  }
}

/** Return the pixels of a cell outside, INSIDE and EDGE: the inside with the opacity `fill` (0 to 1), the edge opaque. */
export function pixelsOf(colour, fill, edge = colour) {
  const pixels = new Uint32Array(3);
  new Uint8Array(pixels.buffer).set([...colour, Math.round(255 * fill), ...edge, 255], 4);
  return pixels;
}

/** Return a canvas with the bitmap; its colours are those of `pixelsOf`. */
export function painted({ width, height, cells }, colour, fill, edge = colour) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  const colours = pixelsOf(colour, fill, edge);
  for (let at = 0; at < cells.length; at++) words[at] = colours[cells[at]];
  context.putImageData(image, 0, 0);
  return canvas;
}
