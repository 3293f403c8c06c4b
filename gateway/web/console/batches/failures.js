// Why jobs of a batch failed: the error codes, and how often each occurred.

import { element } from "../../page/element.js";
import { listJobs } from "../../service/jobs.js";
import { number, text } from "../../texts/texts.js";

const PAGES = 5; // of jobs that are read at most, because a batch may have 100,000 failed ones
const PAGE = 100;

export class Failures {
  #service;
  #id;
  #reading = new AbortController();
  #counted = 0; // how many failed jobs the batch had when they were read
  element = element("section", { hidden: true });

  constructor(service, id) {
    this.#service = service;
    this.#id = id;
  }

  close() {
    this.#reading.abort();
  }

  /** Show the failures of a batch, if it has other ones than before. */
  async show({ counts }) {
    this.element.hidden = counts.failed === 0;
    if (counts.failed === this.#counted) return;
    this.#counted = counts.failed;
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    const found = await this.#read(signal).catch(() => null); // the counts of the batch are shown anyway
    if (!found || signal.aborted) return;
    const rows = [...Map.groupBy(found, (job) => job.error.code)].sort(([, a], [, b]) => b.length - a.length);
    const items = rows.map(([code, jobs]) =>
      element("li", {}, element("b", {}, number(jobs.length)), element("code", {}, code), element("small", {}, jobs[0].error.message)),
    );
    const isAll = found.length >= counts.failed;
    const note = isAll ? null : element("p", { class: "small" }, text("batch_failures_newest", { count: number(found.length) }));
    this.element.replaceChildren(element("h2", {}, text("batch_failures")), element("ul", { class: "failures" }, items), note ?? "");
  }

  async #read(signal) {
    const found = [];
    const conditions = new URLSearchParams({ batch: this.#id, status: "failed", limit: PAGE });
    for (let page = 0, cursor = null; page < PAGES; page++) {
      const { items, next } = await listJobs(this.#service, conditions, cursor, signal);
      found.push(...items.filter((job) => job.error));
      cursor = next;
      if (cursor === null) break;
    }
    return found;
  }
}
