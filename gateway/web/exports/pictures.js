// Objects as pictures in the full size of the photo: masks, cut-out, overlay.

import { bitmapOf, painted } from "../masks/bitmap.js";
import { Layer } from "../masks/layer.js";
import { colourOf } from "../objects/colours.js";
import { chosenOf } from "../objects/objects.js";

const WHITE = [255, 255, 255];
const FILL = 0.42;

/** Return a PNG for each object: 255 on the object, 0 elsewhere. */
export function masks({ photo, objects, names }) {
  return Promise.all(
    objects.map(async (object, i) => {
      const [canvas, context] = blank(photo);
      context.fillRect(0, 0, photo.width, photo.height);
      draw(context, chosenOf(object).mask);
      return { name: `mask_${object.number}_${names[i]}.png`, blob: await canvas.convertToBlob() };
    }),
  );
}

/** Return a PNG with all objects, transparent elsewhere, as large as the box around them. */
export async function cutout({ photo, objects }) {
  const [canvas, context] = blank(photo);
  for (const object of objects) draw(context, chosenOf(object).mask);
  context.globalCompositeOperation = "source-in";
  context.drawImage(photo.picture.levels[0], 0, 0, photo.width, photo.height);
  const boxes = objects.map((object) => chosenOf(object).mask.box);
  const [x, y] = [0, 1].map((i) => Math.min(...boxes.map((box) => box[i])));
  const [right, bottom] = [2, 3].map((i) => Math.max(...boxes.map((box) => box[i])));
  const [width, height] = [Math.max(right - x, 1), Math.max(bottom - y, 1)];
  const cut = new OffscreenCanvas(width, height);
  cut.getContext("2d").drawImage(canvas, x, y, width, height, 0, 0, width, height);
  return [{ name: "cutout.png", blob: await cut.convertToBlob() }];
}

/** Return a JPEG of the photo with its masks in colour. */
export async function overlay({ photo, objects }) {
  const [canvas, context] = blank(photo);
  context.drawImage(photo.picture.levels[0], 0, 0, photo.width, photo.height);
  const stroke = Math.max(Math.round(Math.max(photo.width, photo.height) / 800), 1);
  const shown = objects.map((each) => ({ mask: chosenOf(each).mask, colour: colourOf(each.number), isSelected: false }));
  const layer = new Layer();
  layer.paint(shown, { x: 0, y: 0, scale: 1, width: photo.width, height: photo.height }, stroke, FILL);
  layer.draw(context, { x: 0, y: 0, scale: 1 });
  return [{ name: "overlay.jpg", blob: await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 }) }];
}

function blank({ width, height }) {
  const canvas = new OffscreenCanvas(width, height);
  return [canvas, canvas.getContext("2d")];
}

function draw(context, mask) {
  const bitmap = bitmapOf(mask, { x: 0, y: 0, scale: 1, width: mask.width, height: mask.height }, 1);
  if (bitmap) context.drawImage(painted(bitmap, WHITE, 1), bitmap.x, bitmap.y);
}
