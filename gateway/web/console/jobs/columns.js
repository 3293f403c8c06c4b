// The columns of a table of jobs.

import { element } from "../../page/element.js";
import { number, text } from "../../texts/texts.js";
import { duration } from "../parts/figures.js";
import { state } from "../parts/state.js";
import { ago } from "../parts/time.js";
import { promptsInWords } from "./prompts.js";

/** Return the columns; without a selection, there is nothing to select. */
export function jobColumns(thumbnails, selection) {
  return [
    ...(selection ? [{ title: "", head: selection.all, cell: (job) => selection.box(job.id), kind: "select" }] : []),
    { title: "", head: element("span", { class: "hidden" }, text("jobs_picture")), cell: (job) => thumbnails.of(job), kind: "picture" },
    { title: text("view_job"), cell: name, kind: "wrap job-name" },
    { title: text("jobs_status"), cell: status },
    { title: text("jobs_model"), cell: model },
    { title: text("jobs_took"), cell: took, kind: "number" },
    { title: text("jobs_accepted"), cell: (job) => ago(job.accepted_at), kind: "number" },
  ];
}

export function addressOf(job) {
  return `/console/jobs/${encodeURIComponent(job.id)}`;
}

function name(job) {
  const link = element("a", { href: addressOf(job), class: "id" }, job.batch?.item ?? job.id);
  const notes = Object.entries(job.metadata).map(([key, value]) => `${key}: ${written(value)}`);
  const about = [promptsInWords(job), ...notes].join(" · ");
  return element("div", { class: "two-lines" }, link, element("small", { class: "one-line" }, about));
}

function status(job) {
  const { progress, error } = job;
  const isRunning = job.status === "running" && progress;
  return element(
    "div",
    { class: "two-lines" },
    state(job.status),
    isRunning ? bar(progress) : null,
    error ? element("small", { class: "one-line" }, element("code", {}, error.code)) : null,
  );
}

/** Return a bar for `{ done, total }`. */
export function bar({ done, total }) {
  const share = total ? done / total : 0;
  const inner = element("i");
  inner.style.width = `${100 * share}%`;
  const numbers = { "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": done };
  const label = text("progress_of", { done: number(done), total: number(total) });
  return element("span", { class: "progress", role: "progressbar", "aria-label": label, ...numbers }, inner);
}

function model(job) {
  const where = [job.device === "auto" ? null : job.device, job.engine, job.precision].filter(Boolean).join(" · ");
  return element("div", { class: "two-lines" }, element("span", {}, job.model), element("small", {}, where));
}

/** Return how long the job was run, and how long it waited. */
function took(job) {
  if (!job.started_at) return element("span", { class: "none" }, "—");
  const waited = element("small", {}, text("jobs_waited", { time: duration(between(job.accepted_at, job.started_at)) }));
  const run = job.completed_at ? duration(between(job.started_at, job.completed_at)) : "…";
  return element("div", { class: "two-lines" }, element("span", {}, run), waited);
}

/** Return the milliseconds between two times of the API. */
export function between(from, to) {
  return Math.max(new Date(to) - new Date(from), 0);
}

function written(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
