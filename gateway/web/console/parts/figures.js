// Numbers with their names, and bars that compare them.

import { element } from "../../page/element.js";
import { number, text } from "../../texts/texts.js";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Return a list of figures: `rows` are `[name, value, note]`, where the text `note` may be missing. */
export function figures(rows) {
  return element(
    "dl",
    { class: "figures" },
    rows.map(([name, value, note]) => element("div", {}, element("dt", {}, name), element("dd", {}, value, note && element("small", {}, note)))),
  );
}

/** Return a number with a bar beside it, whose length is the share of `max`. */
export function barred(value, max) {
  const bar = element("i", { class: "bar-of", "aria-hidden": "true" }, element("i"));
  bar.firstChild.style.width = `${max > 0 ? Math.min((100 * value) / max, 100) : 0}%`;
  return element("span", { class: "barred" }, bar, number(value));
}

/** Return a size in bytes as people write it, in powers of 1000. */
export function bytes(count) {
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), UNITS.length - 1);
  return `${number(count / 1000 ** power, power > 0 && count < 100 * 1000 ** power ? 1 : 0)} ${UNITS[power]}`;
}

/** Return a duration as people write it: milliseconds, seconds, minutes or hours. */
export function duration(ms) {
  if (ms < 1000) return `${number(ms)} ms`;
  if (ms < 120_000) return `${number(ms / 1000, 1)} s`;
  return ms < 7_200_000 ? text("minutes", { count: number(ms / 60_000) }) : text("hours", { count: number(ms / 3_600_000, 1) });
}
