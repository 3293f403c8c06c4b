// How many items of a batch are in each state, as one bar of several colours and in words.

import { element } from "../../page/element.js";
import { number } from "../../texts/texts.js";
import { state } from "../parts/state.js";

const SHOWN = ["succeeded", "failed", "expired", "canceled", "running", "queued"]; // in the order of the bar

/** Return a bar in which each state of items has its share. */
export function countsBar({ counts, progress }) {
  const parts = SHOWN.filter((name) => counts[name]).map((name) => {
    const part = element("i", { class: name });
    part.style.width = `${(100 * counts[name]) / counts.total}%`;
    return part;
  });
  const value = { "aria-valuemin": 0, "aria-valuemax": progress.total, "aria-valuenow": progress.done };
  const label = `${number(progress.done)} / ${number(progress.total)}`;
  return element("span", { class: "counts-bar", role: "progressbar", "aria-label": label, ...value }, parts);
}

/** Return the counts that are not zero, each a link to these jobs. */
export function countsInWords({ id, counts }) {
  const items = SHOWN.filter((name) => counts[name]).map((name) => {
    const href = `/console?${new URLSearchParams({ batch: id, status: name })}`;
    return element("li", {}, element("a", { href }, state(name), element("b", {}, number(counts[name]))));
  });
  return element("ul", { class: "counts" }, items);
}
