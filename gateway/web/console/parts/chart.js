// Small charts over time: bars or lines, with the values of one time under the mouse or chosen by keyboard.

import { element, vector } from "../../page/element.js";
import { currentLanguage, text } from "../../texts/texts.js";

// The drawing is stretched to its place, so these units are shares of it. The labels are not in the drawing.
const WIDTH = 1000;
const HEIGHT = 100;
const HEADROOM = 1.08; // the highest value is not at the edge
const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

export class Chart {
  element;
  #given;
  #points = [];
  #chosen = null; // the position in #points whose values are shown, or null: those of the last point
  #drawing = vector("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  #highest = element("span", { class: "highest" });
  #values = element("dl", { class: "legend" });
  #time = element("span", { class: "time" });
  #plot;

  /**
   * `title` names the chart. `kind` is "bars", which stand on each other, or "lines". `series` are `{ name, tone }`, the tone
   * a class of the drawing; `write(value)` returns a value as text. `span` is the length of the time axis in milliseconds.
   */
  constructor(given) {
    this.#given = given;
    this.#plot = element(
      "div",
      {
        class: "plot",
        role: "slider",
        tabindex: "0",
        "aria-label": given.title,
        onkeydown: (event) => this.#step(event),
        onpointermove: (event) => this.#point(event),
        onpointerleave: () => this.#choose(null),
        onblur: () => this.#choose(null),
      },
      this.#drawing,
      this.#highest,
    );
    const heading = element("header", {}, element("h3", {}, given.title), this.#time);
    this.element = element("section", { class: `chart ${given.kind}` }, heading, this.#values, this.#plot);
  }

  /** Show points, oldest first: `{ at, values }`, `at` in milliseconds and a value for each series, null if there is none. */
  set(points) {
    this.#points = points;
    if (this.#chosen !== null) this.#chosen = Math.min(this.#chosen, points.length - 1);
    this.#draw();
    this.#write();
  }

  #draw() {
    const end = this.#points.at(-1)?.at ?? 0;
    const x = (at) => WIDTH * (1 - (end - at) / this.#given.span);
    const highest = this.#highestValue();
    const y = (value) => HEIGHT * (1 - value / (highest * HEADROOM || 1));
    this.#highest.textContent = highest > 0 ? this.#given.write(highest) : "";
    const drawn = this.#given.kind === "bars" ? this.#bars(x, y) : this.#lines(x, y);
    const line = (at, name) => vector("line", { x1: 0, x2: WIDTH, y1: at, y2: at, class: name });
    const cursor = vector("line", { y1: 0, y2: HEIGHT, class: "cursor" });
    this.#drawing.replaceChildren(line(y(highest), "grid"), line(y(highest / 2), "grid"), ...drawn, line(HEIGHT, "axis"), cursor);
  }

  #highestValue() {
    const sums = this.#points.map(({ values }) => (this.#given.kind === "bars" ? [sum(values)] : values));
    return Math.max(0, ...sums.flat());
  }

  #bars(x, y) {
    const width = (0.75 * WIDTH * 60_000) / this.#given.span; // a point is a minute
    return this.#points.flatMap(({ at, values }) =>
      values.map((value, index) => {
        const below = sum(values.slice(0, index));
        const top = y(below + value);
        const place = { x: Math.max(x(at) - width, 0), y: top, width, height: y(below) - top };
        return vector("rect", { ...place, class: this.#given.series[index].tone });
      }),
    );
  }

  /** Return a line for each series. It is interrupted where there is no value; a value between two gaps is a short dash. */
  #lines(x, y) {
    return this.#given.series.map(({ tone }, index) => {
      let path = "";
      let isDrawing = false;
      for (const { at, values } of this.#points) {
        const value = values[index];
        if (value !== null) path += isDrawing ? `L${x(at)} ${y(value)}` : `M${x(at)} ${y(value)}h.1`;
        isDrawing = value !== null;
      }
      return vector("path", { d: path, class: tone });
    });
  }

  #step(event) {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    const last = this.#points.length - 1;
    this.#choose(Math.max(0, Math.min(last, (this.#chosen ?? last) + STEPS[event.key])));
  }

  #point(event) {
    const { left, width } = this.#drawing.getBoundingClientRect();
    const end = this.#points.at(-1)?.at ?? 0;
    const at = end - this.#given.span * (1 - (event.clientX - left) / width);
    const next = this.#points.findIndex((point) => point.at >= at);
    this.#choose(next < 0 ? this.#points.length - 1 : next);
  }

  #choose(position) {
    this.#chosen = position !== null && position >= 0 ? position : null;
    this.#write();
  }

  /** Write the values of the chosen point, and mark it. */
  #write() {
    const position = this.#chosen ?? this.#points.length - 1;
    const point = this.#points[position];
    const { series, write } = this.#given;
    const written = series.map(({ name, tone }, index) => {
      const value = point?.values[index] ?? null;
      return [name, value === null ? "—" : write(value), tone];
    });
    const rows = written.map(([name, value, tone]) =>
      element("div", {}, element("dt", { class: tone }, name), element("dd", {}, value)),
    );
    this.#values.replaceChildren(...rows);
    this.#time.textContent = this.#chosen === null || !point ? text("chart_now") : clock(point.at);
    this.#mark(position, point, written);
  }

  #mark(position, point, written) {
    const cursor = this.#drawing.querySelector(".cursor");
    const end = this.#points.at(-1)?.at ?? 0;
    const x = point ? WIDTH * (1 - (end - point.at) / this.#given.span) : 0;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.classList.toggle("shown", this.#chosen !== null);
    const spoken = written.map(([name, value]) => `${name} ${value}`).join(", ");
    const values = { min: 0, max: Math.max(this.#points.length - 1, 0), now: Math.max(position, 0) };
    for (const [name, value] of Object.entries(values)) this.#plot.setAttribute(`aria-value${name}`, value);
    this.#plot.setAttribute("aria-valuetext", point ? `${clock(point.at)}: ${spoken}` : text("chart_empty"));
  }
}

/** Return the time of day. */
export function clock(at) {
  return new Date(at).toLocaleTimeString(currentLanguage(), { hour: "2-digit", minute: "2-digit" });
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
