// Everything by keyboard. On the stage the arrow keys move a cross, and Enter clicks there.

import { toImage, toScreen } from "./view.js";

const STEP = 24; // CSS pixels of the screen for each arrow key; with Shift 2

export class Keyboard {
  #stage;
  #session;
  #clicking;
  #hovering;
  #corner = null; // the first corner of a box

  /** `actions` are functions by the names of `KEYS`. */
  constructor(canvas, { stage, session, clicking, hovering, pointer, actions }) {
    this.#stage = stage;
    this.#session = session;
    this.#clicking = clicking;
    this.#hovering = hovering;
    canvas.addEventListener("keydown", (event) => this.#onStage(event));
    canvas.addEventListener("blur", () => stage.draw());
    canvas.addEventListener("focus", () => stage.draw());
    document.addEventListener("keydown", (event) => {
      if (isTyping(event) || document.querySelector("dialog[open]")) return;
      if (event.code === "Space" && event.target === canvas) pointer.isSpaceDown = true;
      const name = nameOf(event);
      const action = actions[KEYS[name]];
      if (!action || event.defaultPrevented) return;
      event.preventDefault();
      action(name);
    });
    document.addEventListener("keyup", (event) => {
      if (event.code === "Space") pointer.isSpaceDown = false;
    });
  }

  #onStage(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!this.#stage.view || event.ctrlKey || event.metaKey) return;
    if (way) this.#moveCross(way, event.shiftKey ? 2 : STEP, event);
    else if (event.key === "Enter") this.#press(event);
    else if (event.key === "Escape" && this.#corner) this.#forgetCorner(event);
  }

  /** Move the cross, and the photo if the cross would leave the screen. */
  #moveCross([dx, dy], step, event) {
    event.preventDefault();
    const stage = this.#stage;
    const { photo } = this.#session;
    const [x, y] = stage.cross ?? toImage(stage.view, [stage.screen.width / 2, stage.screen.height / 2]);
    const length = (step * stage.ratio) / stage.view.scale;
    const within = (value, size) => Math.min(Math.max(value, 0.5), size - 0.5);
    stage.cross = [within(x + dx * length, photo.width), within(y + dy * length, photo.height)];
    this.#keepVisible();
    if (this.#corner) stage.drag = between(this.#corner, stage.cross);
    const point = stage.cross.map((each) => Math.round(each * 10) / 10);
    if (!this.#corner) this.#hovering.move(point, event.altKey ? 0 : 1, toScreen(stage.view, stage.cross));
    stage.draw();
  }

  #keepVisible() {
    const { view, screen, cross } = this.#stage;
    const [x, y] = toScreen(view, cross);
    const outside = (value, size) => (value < 0 ? -value + 40 : value > size ? size - value - 40 : 0);
    const [dx, dy] = [outside(x, screen.width), outside(y, screen.height)];
    if (dx || dy) this.#stage.move(dx, dy);
  }

  #press(event) {
    const { cross } = this.#stage;
    if (!cross || !this.#session.canClick) return;
    event.preventDefault();
    const point = cross.map((each) => Math.round(each * 10) / 10);
    if (this.#corner) {
      const box = between(this.#corner, point);
      this.#forgetCorner(event);
      if (box[2] > box[0] && box[3] > box[1]) this.#clicking.box(box);
    } else if (event.shiftKey) {
      this.#corner = point;
    } else {
      this.#clicking.point(point, event.altKey ? 0 : 1);
    }
  }

  #forgetCorner(event) {
    event.preventDefault();
    this.#corner = null;
    this.#stage.drag = null;
    this.#stage.draw();
  }
}

// The actions of the page by key. Letters are the same with and without Shift, except with Ctrl.
const KEYS = {
  p: "positive", o: "negative", b: "box", m: "move", n: "fresh", c: "candidate", h: "hover",
  delete: "remove", backspace: "remove", "[": "previous", "]": "next",
  "ctrl+z": "undo", "ctrl+shift+z": "redo", "ctrl+y": "redo",
  "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", 0: "zoomFit",
  "?": "help", "ctrl+o": "open", "ctrl+s": "export", "/": "find", escape: "escape",
};

function nameOf({ key, ctrlKey, metaKey, shiftKey }) {
  const name = key.toLowerCase();
  if (ctrlKey || metaKey) return shiftKey ? `ctrl+shift+${name}` : `ctrl+${name}`;
  return name;
}

function isTyping({ target }) {
  return target.matches?.("input:not([type=checkbox]), textarea, select");
}

function between([ax, ay], [bx, by]) {
  return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
}
