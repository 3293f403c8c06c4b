// The status of a job, a batch or an event: a word with a colour and a shape, so that no one has to see the colour.

import { element, vector } from "../../page/element.js";
import en from "../../texts/en/state.js";
import { addTexts, text } from "../../texts/texts.js";
import zh from "../../texts/zh/state.js";

addTexts({ en, zh });

const RING = "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8";
const SHAPES = {
  waits: `${RING}M8 4.600V8l2.300 1.700`,
  runs: "M8 1.8a6.2 6.2 0 1 1-6.2 6.2",
  good: "m2.600 8.600 3.600 3.600 7.200-8.200",
  bad: "m3.400 3.400 9.200 9.200m0-9.200-9.200 9.200",
  ended: `${RING}M4.800 8h6.400`,
};
const KINDS = {
  queued: "waits", receiving: "waits", pending: "waits",
  running: "runs", canceling: "runs",
  succeeded: "good", completed: "good", delivered: "good",
  failed: "bad", dead: "bad",
  canceled: "ended", expired: "ended",
  ready: "good", draining: "runs", lost: "bad",
  enabled: "good", failing: "bad", disabled: "ended",
};

/** Return the word for a status; one that a later version of the service has is shown as it is. */
export function state(status) {
  const kind = KINDS[status] ?? "ended";
  const path = vector("path", { d: SHAPES[kind] });
  const shape = vector("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, path);
  return element("span", { class: `status-word ${kind}`, "data-status": status }, shape, word(status));
}

/** Return the name of a status in the language of the reader. */
export function word(status) {
  return status in KINDS ? text(`state_${status}`) : status;
}
