// A table of jobs, newest first, that follows the events of the tenant: jobs appear, change and go without being asked for.

import { element } from "../../page/element.js";
import { Events } from "../../service/events.js";
import { listJobs } from "../../service/jobs.js";
import en from "../../texts/en/jobs.js";
import { addTexts, text } from "../../texts/texts.js";
import zh from "../../texts/zh/jobs.js";
import { Table } from "../parts/table.js";
import { Thumbnails } from "../parts/thumbnails.js";
import { jobColumns } from "./columns.js";
import { meets } from "./conditions.js";
import { Selection } from "./selection.js";

addTexts({ en, zh });

const MAX_CHANGES = 100; // in one frame; beyond that, reading the first page again is less work
const MAX_ROWS = 500; // beyond that the page begins anew: it may be open for days
const READS_BELOW = 160; // pixels that a person has scrolled, from which on new rows would move what is read

export class JobTable {
  #context;
  #conditions;
  #table;
  #thumbnails;
  #selection;
  #events;
  #changes = new Map(); // jobs that have changed, by id, until the next frame; null for a deleted one
  #frame = 0;
  #held = new Map(); // new jobs that wait until the person wants to see them
  #pill = element("button", { type: "button", class: "pill", hidden: true, onclick: () => this.#showHeld() });

  constructor(context, conditions) {
    this.#context = context;
    this.#conditions = conditions;
    const { service, session } = context;
    this.#thumbnails = new Thumbnails(service);
    this.#selection = session.may("jobs:write") ? new Selection(context) : null;
    this.#table = new Table({
      label: text("view_jobs"),
      columns: jobColumns(this.#thumbnails, this.#selection),
      key: (job) => job.id,
      time: (job) => job.accepted_at,
      load: (cursor, signal) => listJobs(service, this.#conditions, cursor, signal),
      empty: this.#nothing(),
      service,
    });
    this.element = element("div", { class: "stack live" }, this.#pill, this.#table.element, this.#selection?.element);
    this.#events = new Events(service, "/v1/events", { event: (event) => this.#take(event), failed: () => {} });
  }

  /** Show the jobs that meet other conditions. */
  filter(conditions) {
    this.#conditions = conditions;
    this.#reload();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#events.close();
    this.#table.close();
    this.#thumbnails.close();
  }

  #reload() {
    this.#changes.clear();
    this.#held.clear();
    this.#showPill();
    this.#selection?.clear();
    this.#table.reload();
  }

  #take({ type, data }) {
    const [about, what] = type.split(".");
    if (about === "gap") this.#reload();
    if (about === "feed") this.#table.reload(); // the list is older than the stream: what came between is in neither
    if (about !== "job") return;
    this.#changes.set(data.id, what === "deleted" || !data.status ? null : data);
    this.#frame ||= requestAnimationFrame(() => this.#apply());
  }

  #apply() {
    this.#frame = 0;
    const changes = [...this.#changes];
    this.#changes.clear();
    if (changes.length > MAX_CHANGES || this.#table.size > MAX_ROWS) return this.#reload();
    for (const [id, job] of changes) {
      if (job === null || !meets(job, this.#conditions)) this.#remove(id);
      else if (!this.#table.has(id) && this.#isRead) this.#held.set(id, job);
      else this.#table.put(job);
    }
    return this.#showPill();
  }

  /** True while new rows would move what the person reads or has selected. */
  get #isRead() {
    return scrollY > READS_BELOW || (this.#selection?.size ?? 0) > 0;
  }

  #remove(id) {
    this.#held.delete(id);
    this.#thumbnails.forget(id);
    this.#selection?.forget(id);
    this.#table.remove(id);
  }

  #showPill() {
    const count = this.#held.size;
    this.#pill.hidden = count === 0;
    this.#pill.textContent = text(count === 1 ? "jobs_one_new" : "jobs_new", { count });
  }

  #showHeld() {
    scrollTo({ top: 0 });
    for (const job of this.#held.values()) this.#table.put(job);
    this.#held.clear();
    this.#showPill();
  }

  #nothing() {
    const how = element("p", {}, text("jobs_none_how"), " ", element("a", { href: "/" }, text("playground")));
    return element("div", { class: "state" }, element("b", {}, text("jobs_none")), how);
  }
}
