// Points, boxes and the keyboard's cross, in the same size at every zoom.

import { css } from "../objects/colours.js";
import { toScreen } from "./view.js";

const DARK = "#16181d";

/** Draw the points of a prompt: plus signs on the object, minus signs beside it. `ratio` is device pixels in a CSS pixel. */
export function drawPoints(context, view, { points, labels }, colour, ratio) {
  points.forEach((point, i) => {
    const [x, y] = toScreen(view, point);
    const isOn = labels[i] === 1;
    context.beginPath();
    context.arc(x, y, 8 * ratio, 0, 2 * Math.PI);
    context.fillStyle = isOn ? css(colour) : DARK;
    context.fill();
    context.lineWidth = 2 * ratio;
    context.strokeStyle = "#fff";
    context.stroke();
    const arm = 3.5 * ratio;
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    if (isOn) {
      context.moveTo(x, y - arm);
      context.lineTo(x, y + arm);
    }
    context.strokeStyle = isOn ? DARK : "#fff";
    context.stroke();
  });
}

/** Draw a box [x0, y0, x1, y1] of the image. */
export function drawBox(context, view, box, colour, ratio) {
  const [x0, y0] = toScreen(view, [box[0], box[1]]);
  const [x1, y1] = toScreen(view, [box[2], box[3]]);
  context.save();
  context.lineWidth = 3.5 * ratio;
  context.strokeStyle = "rgb(0 0 0 / 45%)";
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.lineWidth = 1.75 * ratio;
  context.strokeStyle = css(colour);
  context.setLineDash([6 * ratio, 4 * ratio]);
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.restore();
}

/** Draw the cross that the arrow keys move. */
export function drawCross(context, view, point, ratio) {
  const [x, y] = toScreen(view, point);
  for (const [width, colour] of [[4, "rgb(0 0 0 / 60%)"], [1.75, "#fff"]]) {
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 4 * dx * ratio, y + 4 * dy * ratio);
      context.lineTo(x + 15 * dx * ratio, y + 15 * dy * ratio);
    }
    context.lineWidth = width * ratio;
    context.strokeStyle = colour;
    context.stroke();
  }
}
