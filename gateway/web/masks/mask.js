// A mask, as COCO's compressed run lengths describe it: pixels are counted down the columns, from the left column on.

export class Mask {
  /**
   * `edges` are positions where the mask begins and ends, in turns: edges[0] is the first pixel of the object, edges[1]
   * the first pixel after that run, and so on. Pixel (x, y) has the position x * height + y.
   */
  constructor(width, height, edges) {
    this.width = width;
    this.height = height;
    this.edges = edges;
    this.area = 0;
    for (let i = 0; i < edges.length; i += 2) this.area += edges[i + 1] - edges[i];
    this.box = boxOf(edges, height);
    this.firsts = firstsOf(edges, width, height);
  }

  /** Return the mask of `{counts, size: [height, width]}`. */
  static of({ counts, size: [height, width] }) {
    return new Mask(width, height, edgesOf(runsOf(counts)));
  }

  /** Return true if the pixel with the column x and the row y belongs to the object. */
  has(x, y) {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return false;
    const position = x * this.height + y;
    for (let i = this.firsts[x]; i < this.edges.length && this.edges[i] <= position; i += 2) {
      if (position < this.edges[i + 1]) return true;
    }
    return false;
  }

  /** Call `found(y0, y1)` for each run of the column x, from the row y0 to the row before y1. */
  runsOfColumn(x, found) {
    const top = x * this.height;
    for (let i = this.firsts[x]; i < this.edges.length && this.edges[i] < top + this.height; i += 2) {
      found(Math.max(this.edges[i] - top, 0), Math.min(this.edges[i + 1] - top, this.height));
    }
  }

  /** Return the mask as (height, width) bytes, row by row: 1 on the object and 0 beside it. */
  pixels() {
    const pixels = new Uint8Array(this.width * this.height);
    for (let x = this.box[0]; x < this.box[2]; x++) {
      this.runsOfColumn(x, (y0, y1) => {
        for (let y = y0; y < y1; y++) pixels[y * this.width + x] = 1;
      });
    }
    return pixels;
  }
}

/**
 * Return the run lengths of a compressed text. Each number has 5 bits in a character, the lowest first; bit 6 means that
 * more follow. From the fourth number on, it is the difference to the number two before it.
 */
export function runsOf(counts) {
  const runs = [];
  for (let at = 0; at < counts.length; ) {
    let number = 0;
    let shift = 0;
    let bits;
    do {
      bits = counts.charCodeAt(at++) - 48;
      number |= (bits & 31) << shift;
      shift += 5;
    } while (bits & 32);
    if (bits & 16) number |= -1 << shift; // a negative number
    runs.push(runs.length > 2 ? number + runs[runs.length - 2] : number);
  }
  return runs;
}

function edgesOf(runs) {
  const edges = new Uint32Array(runs.length - (runs.length % 2));
  let position = 0;
  let used = 0;
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const from = position + runs[i];
    position = from + runs[i + 1];
    if (runs[i + 1] === 0) continue;
    edges[used++] = from;
    edges[used++] = position;
  }
  return edges.subarray(0, used);
}

/** Return [x0, y0, x1, y1] around the object, x1 and y1 exclusive; zeros if the mask is empty. */
function boxOf(edges, height) {
  if (edges.length === 0) return [0, 0, 0, 0];
  let y0 = height;
  let y1 = 0;
  for (let i = 0; i < edges.length; i += 2) {
    const first = edges[i] % height;
    const runsOn = first + edges[i + 1] - edges[i] > height; // into the next column
    y0 = runsOn ? 0 : Math.min(y0, first);
    y1 = runsOn ? height : Math.max(y1, first + edges[i + 1] - edges[i]);
  }
  const x0 = Math.floor(edges[0] / height);
  return [x0, y0, Math.floor((edges[edges.length - 1] - 1) / height) + 1, y1];
}

/** Return for each column the index in `edges` of the first run that ends after the column begins. */
function firstsOf(edges, width, height) {
  const firsts = new Uint32Array(width);
  let i = 0;
  for (let x = 0; x < width; x++) {
    while (i < edges.length && edges[i + 1] <= x * height) i += 2;
    firsts[x] = i;
  }
  return firsts;
}
