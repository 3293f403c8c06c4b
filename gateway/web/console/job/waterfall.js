// Where the time of a job went: its stages, one after the other, as bars on one axis.

import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";
import { between } from "../jobs/columns.js";
import { duration } from "../parts/figures.js";

// In the order in which a worker does them. The image part of a detector runs before the encoder.
const STAGES = ["fetch", "decode_image", "detect_encode", "detect", "encode", "decode", "publish"];
const OTHER_MS = 1; // below which the rest is not worth a row

/** Return the waterfall of a job that was begun, or null. */
export function waterfall(job) {
  if (!job.started_at) return null;
  const rows = rowsOf(job);
  const whole = Math.max(rows.reduce((sum, { ms }) => sum + ms, 0), 1);
  let before = 0;
  const items = rows.map(({ name, ms }) => {
    const item = itemOf(name, ms, before / whole, ms / whole);
    before += ms;
    return item;
  });
  const total = element("p", { class: "total" }, text("job_total", { time: duration(whole) }));
  return element("div", { class: "waterfall" }, element("ol", {}, items), job.is_final ? total : null);
}

function rowsOf({ accepted_at, started_at, completed_at, timings_ms, attempt }) {
  const waited = { name: attempt === 1 ? "wait" : "wait_attempts", ms: between(accepted_at, started_at) };
  const stages = STAGES.filter((name) => name in timings_ms).map((name) => ({ name, ms: timings_ms[name] }));
  const other = completed_at ? between(started_at, completed_at) - stages.reduce((sum, { ms }) => sum + ms, 0) : 0;
  return [waited, ...stages, ...(other >= OTHER_MS ? [{ name: "other", ms: other }] : [])];
}

function itemOf(name, ms, from, share) {
  const bar = element("i", { class: name });
  bar.style.marginLeft = `${100 * from}%`;
  bar.style.width = `${100 * share}%`;
  const track = element("span", { class: "track", "aria-hidden": "true" }, bar);
  return element("li", {}, element("span", {}, text(`stage_${name}`)), track, element("span", { class: "ms" }, duration(ms)));
}
