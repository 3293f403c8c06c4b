// The last hour of the fleet, as charts and as a table of the same values.

import { element } from "../../page/element.js";
import { number, text } from "../../texts/texts.js";
import { Chart, clock } from "../parts/chart.js";
import { duration } from "../parts/figures.js";

const HOUR_MS = 3_600_000;
const MINUTE_S = 60;
const FAILED = ["failed", "canceled", "expired"];

export class LastHour {
  element;
  #charts;
  #rows = element("tbody");

  constructor() {
    this.#charts = [
      [this.#chart("ended", "bars", [["succeeded", "first"], ["not_succeeded", "rest"]], number), perMinute],
      [this.#chart("waiting", "lines", [["queued_jobs", "first"]], number), (minute) => [minute.queued]],
      [this.#chart("wait", "lines", [["p50", "first"], ["p95", "second"]], duration), (minute) => quantiles(minute.wait_ms)],
      [this.#chart("run", "lines", [["p50", "first"], ["p95", "second"]], duration), (minute) => quantiles(minute.run_ms)],
    ];
    const charts = element("div", { class: "charts" }, this.#charts.map(([chart]) => chart.element));
    const values = element("details", {}, element("summary", {}, text("fleet_values")), this.#table());
    this.element = element("section", { class: "stack" }, element("h2", {}, text("fleet_hour")), charts, values);
  }

  /** Show the entries of `history`, oldest first. */
  set(history) {
    for (const [chart, values] of this.#charts) {
      chart.set(history.map((minute) => ({ at: Date.parse(minute.at), values: values(minute) })));
    }
    this.#rows.replaceChildren(...history.toReversed().map(row));
  }

  #chart(name, kind, series, write) {
    const named = series.map(([each, tone]) => ({ name: text(`fleet_${each}`), tone }));
    return new Chart({ title: text(`fleet_chart_${name}`), kind, series: named, write: (value) => write(Math.round(value)), span: HOUR_MS });
  }

  #table() {
    const names = ["minute", "succeeded", ...FAILED, "queued_jobs", "wait_p50", "wait_p95", "run_p50", "run_p95"];
    const titles = names.map((name) => element("th", { scope: "col", class: name === "minute" ? null : "number" }, text(`fleet_${name}`)));
    const label = element("caption", { class: "hidden" }, text("fleet_hour"));
    const table = element("table", {}, label, element("thead", {}, element("tr", {}, titles)), this.#rows);
    return element("div", { class: "table minutes", tabindex: "0", role: "region", "aria-label": text("fleet_hour") }, table);
  }
}

/** Return how many jobs succeeded and how many did not, for a minute; an entry may be longer. The last one is not over. */
function perMinute({ ended, seconds }) {
  const share = MINUTE_S / Math.max(seconds, MINUTE_S);
  return [ended.succeeded * share, FAILED.reduce((sum, status) => sum + ended[status], 0) * share];
}

function quantiles(latency) {
  return latency ? [latency.p50, latency.p95] : [null, null];
}

function row(minute) {
  const times = [...quantiles(minute.wait_ms), ...quantiles(minute.run_ms)].map((ms) => (ms === null ? "—" : duration(Math.round(ms))));
  const counts = ["succeeded", ...FAILED].map((status) => number(minute.ended[status]));
  const cells = [clock(Date.parse(minute.at)), ...counts, number(minute.queued), ...times];
  return element("tr", {}, cells.map((cell, index) => element("td", { class: index ? "number" : null }, cell)));
}
