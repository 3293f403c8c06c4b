// The colours of objects, chosen to differ from each other and from most photos.

const COLOURS = [
  [255, 92, 56],
  [42, 162, 255],
  [139, 214, 46],
  [240, 88, 214],
  [255, 190, 30],
  [38, 208, 186],
  [155, 118, 255],
  [255, 120, 150],
  [90, 140, 80],
  [200, 130, 60],
];

/** Return the colour [red, green, blue] of the object with a number; they repeat after ten. */
export function colourOf(number) {
  return COLOURS[(number - 1) % COLOURS.length];
}

export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

export function hex(colour) {
  return `#${colour.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
