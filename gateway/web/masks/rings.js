// The outlines of a mask: closed rings along the edges of its pixels.

/**
 * Return all rings of a mask, each a list of corners [x, y]. Rings around parts run clockwise, as one sees them, and rings
 * around holes the other way. Parts that touch only at a corner are separate.
 */
export function ringsOf(mask) {
  const [x0, y0, x1, y1] = mask.box;
  const width = x1 - x0 + 2; // with an empty cell on each side, so that no cell is beyond the border
  const height = y1 - y0 + 2;
  const cells = new Uint8Array(width * height);
  for (let x = x0; x < x1; x++) {
    mask.runsOfColumn(x, (from, to) => {
      for (let y = from; y < to; y++) cells[(y - y0 + 1) * width + (x - x0 + 1)] = 1;
    });
  }
  const rings = [];
  const isTraced = new Uint8Array(width * height); // the top edge of the cell
  for (let at = width; at < cells.length; at++) {
    if (cells[at] && !cells[at - width] && !isTraced[at]) rings.push(trace(cells, isTraced, width, at, x0 - 1, y0 - 1));
  }
  return rings;
}

/** Follow the edge with the object on the right, from the top edge of a cell to the right, until it is closed. */
function trace(cells, isTraced, width, start, left, top) {
  const steps = [1, width, -1, -width]; // right, down, left, up
  const ring = [];
  let corner = start; // the cell below and to the right of the present corner
  let way = 0;
  do {
    if (way === 0) isTraced[corner] = 1;
    corner += steps[way];
    const [onRight, onLeft] = ahead(cells, width, corner, way);
    const turn = !onRight ? 1 : onLeft ? 3 : 0;
    if (turn) ring.push([(corner % width) + left, Math.floor(corner / width) + top]);
    way = (way + turn) % 4;
  } while (corner !== start || way !== 0);
  return ring;
}

/** Return the two cells ahead of a corner: the one on the right of the way, and the one on its left. */
function ahead(cells, width, corner, way) {
  const southEast = cells[corner];
  const southWest = cells[corner - 1];
  const northEast = cells[corner - width];
  const northWest = cells[corner - width - 1];
  return [
    [southEast, northEast],
    [southWest, southEast],
    [northWest, southWest],
    [northEast, northWest],
  ][way];
}

/** Return the area of a ring, negative for a hole. */
export function areaOf(ring) {
  let twice = 0;
  for (let i = 0; i < ring.length; i++) {
    const [x0, y0] = ring[i];
    const [x1, y1] = ring[(i + 1) % ring.length];
    twice += x0 * y1 - x1 * y0;
  }
  return twice / 2;
}

/** Return a ring with fewer corners, which no corner misses by more than `tolerance` (Douglas and Peucker). */
export function simplified(ring, tolerance) {
  if (ring.length <= 4 || tolerance === 0) return ring;
  const far = farthest(ring, 0, ring.length - 1, ring[0], ring[0]).index;
  const keeps = new Uint8Array(ring.length);
  keeps[0] = keeps[far] = keeps[ring.length - 1] = 1;
  const open = [
    [0, far],
    [far, ring.length - 1],
  ];
  while (open.length) {
    const [from, to] = open.pop();
    const { index, distance } = farthest(ring, from, to, ring[from], ring[to]);
    if (distance <= tolerance) continue;
    keeps[index] = 1;
    open.push([from, index], [index, to]);
  }
  const kept = ring.filter((_, index) => keeps[index]);
  return kept.length < 3 ? ring : kept;
}

/** Return the corner between two others that is farthest from the line from a to b, and its distance. */
function farthest(ring, from, to, a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = Math.hypot(dx, dy);
  let best = { index: from, distance: 0 };
  for (let index = from + 1; index < to; index++) {
    const [x, y] = [ring[index][0] - a[0], ring[index][1] - a[1]];
    const distance = length ? Math.abs(x * dy - y * dx) / length : Math.hypot(x, y);
    if (distance > best.distance) best = { index, distance };
  }
  return best;
}
