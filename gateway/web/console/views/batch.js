// One batch, live until it has completed, and its jobs.

import { element } from "../../page/element.js";
import { cancelBatch, deleteBatch, pathOf, retryBatch } from "../../service/batches.js";
import { Events } from "../../service/events.js";
import en from "../../texts/en/batches.js";
import { addTexts, number, text } from "../../texts/texts.js";
import zh from "../../texts/zh/batches.js";
import { countsBar, countsInWords } from "../batches/counts.js";
import { Failures } from "../batches/failures.js";
import { between } from "../jobs/columns.js";
import { JobTable } from "../jobs/job_table.js";
import { confirm } from "../parts/dialogs.js";
import { failure } from "../parts/failure.js";
import { duration, figures } from "../parts/figures.js";
import { renew } from "../parts/renew.js";
import { state } from "../parts/state.js";

addTexts({ en, zh });

const RESULTS = [["results", "NDJSON"], ["results?format=coco", "COCO"], ["files", "TAR"]];
const RETRIED = ["failed", "expired", "canceled"];

export const view = {
  path: /^\/console\/batches\/(?<id>[^/]+)$/,
  title: "batch",
  needs: "jobs:read",
  show(place, context) {
    const page = new BatchPage(place, context);
    return () => page.close();
  },
};

class BatchPage {
  #place;
  #context;
  #id;
  #events = null;
  #jobs = null;
  #failures;
  #summary = element("div", { class: "stack" });
  #actions = element("div", { class: "actions" });
  #status = element("div", { class: "now", role: "status" });

  constructor(place, context) {
    this.#place = place;
    this.#context = context;
    this.#id = context.parameters.id;
    this.#failures = new Failures(context.service, this.#id);
    place.append(element("p", { class: "state", "aria-busy": "true" }, element("i", { class: "skeleton" })));
    this.#follow();
  }

  close() {
    this.#events?.close();
    this.#jobs?.close();
    this.#failures.close();
  }

  #follow() {
    this.#events?.close();
    const path = pathOf(this.#id, "events");
    this.#events = new Events(this.#context.service, path, { event: (event) => this.#take(event), failed: (problem) => this.#fail(problem) });
  }

  #take({ type, data }) {
    if (type === "batch.deleted") return this.#showGone("batch_deleted");
    if (!type.startsWith("batch.") || !data.status) return undefined;
    if (this.#jobs === null) this.#build();
    return this.#show(data);
  }

  #build() {
    this.#jobs = new JobTable(this.#context, new URLSearchParams({ batch: this.#id }));
    const title = element("h1", {}, element("span", { class: "hidden" }, text("view_batch"), " "), element("span", { class: "id" }, this.#id));
    const back = element("a", { href: "/console/batches", class: "back" }, text("batch_back"));
    this.#place.replaceChildren(
      element("header", { class: "heading" }, back, title, this.#status, this.#actions),
      this.#summary,
      this.#failures.element,
      element("section", {}, element("h2", {}, text("view_jobs")), this.#jobs.element),
    );
  }

  #show(batch) {
    const { counts, progress, completed_at: ended, created_at: created } = batch;
    const seconds = Math.max(between(created, ended ?? new Date()) / 1000, 1);
    const rows = [
      [text("batch_done"), number(progress.done), text("batch_of", { count: number(progress.total) })],
      counts.failed ? [text("batch_failed"), number(counts.failed)] : null,
      [text("batch_rate"), number((60 * progress.done) / seconds, 1), text("batch_per_minute")],
      batch.is_final ? [text("batch_took"), duration(1000 * seconds)] : [text("batch_left"), timeLeft(batch, seconds)],
    ];
    renew(this.#status, state(batch.status));
    renew(this.#summary, figures(rows.filter(Boolean)), countsBar(batch), countsInWords(batch));
    renew(this.#actions, this.#buttons(batch));
    this.#failures.show(batch);
  }

  #buttons(batch) {
    const { service, session, navigate } = this.#context;
    const links = RESULTS.map(([route, title]) => element("a", { class: "wide", href: pathOf(this.#id, route), download: true }, title));
    if (!session.may("jobs:write")) return links;
    const button = (name, about, run) => {
      const ask = () => confirm({ title: text(name), action: text(name), about: text(about), run });
      return element("button", { type: "button", class: "wide", onclick: ask }, text(name));
    };
    if (!batch.is_final) return [...links, button("batch_cancel", "batch_confirm_cancel", () => cancelBatch(service, this.#id))];
    const again = button("batch_retry", "batch_confirm_retry", async () => {
      navigate(`/console/batches/${encodeURIComponent((await retryBatch(service, this.#id)).id)}`);
    });
    const remove = button("jobs_delete", "batch_confirm_delete", async () => {
      await deleteBatch(service, this.#id);
      navigate("/console/batches");
    });
    return [...links, ...(RETRIED.some((name) => batch.counts[name]) ? [again] : []), remove];
  }

  #fail(problem) {
    if (problem.status === 404) this.#showGone("batch_unknown");
    else if (this.#jobs === null) this.#place.replaceChildren(failure(problem, () => this.#follow()));
  }

  #showGone(reason) {
    this.close();
    const back = element("a", { href: "/console/batches" }, text("batch_back"));
    this.#place.replaceChildren(element("div", { class: "state" }, element("h1", {}, text(reason)), element("p", {}, back)));
  }
}

/** Return the time until a batch is expected to complete, at its own rate so far. */
function timeLeft({ progress: { done, total }, eta_s: expected }, seconds) {
  if (expected !== null) return duration(1000 * expected);
  return done ? duration((1000 * seconds * (total - done)) / done) : "—";
}
