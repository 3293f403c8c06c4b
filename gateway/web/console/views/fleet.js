// What the whole service does: workers, lanes, and the last hour.

import { element } from "../../page/element.js";
import { copyable } from "../../page/dialog.js";
import { readFleet } from "../../service/fleet.js";
import en from "../../texts/en/fleet.js";
import { addTexts, number, text } from "../../texts/texts.js";
import zh from "../../texts/zh/fleet.js";
import { LastHour } from "../fleet/last_hour.js";
import { failure } from "../parts/failure.js";
import { barred, bytes, duration, figures } from "../parts/figures.js";
import { heading } from "../parts/heading.js";
import { polled } from "../parts/polling.js";
import { state } from "../parts/state.js";
import { Table } from "../parts/table.js";
import { ago } from "../parts/time.js";

addTexts({ en, zh });

// The stream of events has the jobs of one tenant, and nothing about workers, so the fleet is read again and again. Workers
// report every 5 seconds, and an answer costs the service a few milliseconds.
const READ_MS = 3000;
const SHOWN_JOBS = 3; // of each worker
const COMMAND = "ovseg worker";

export const view = {
  path: /^\/console\/fleet$/,
  title: "fleet",
  needs: "admin",
  show(place, context) {
    const fleet = new Fleet(place, context);
    return () => fleet.close();
  },
};

class Fleet {
  #context;
  #body = element("div", { class: "stack fleet", "aria-busy": "true" }, element("i", { class: "skeleton" }), element("i", { class: "skeleton" }));
  #sections = null; // once the fleet was read
  #reading = new AbortController();
  #stop;

  constructor(place, context) {
    this.#context = context;
    place.append(heading(text("view_fleet")), this.#body);
    this.#stop = polled(() => this.#read(), READ_MS);
  }

  close() {
    this.#stop();
    this.#reading.abort();
    this.#sections?.close();
  }

  async #read() {
    const { signal } = this.#reading;
    try {
      const fleet = await readFleet(this.#context.service, signal);
      if (!signal.aborted) this.#show(fleet);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #show(fleet) {
    if (!this.#sections) {
      this.#sections = new Sections(this.#context, fleet);
      this.#body.replaceChildren(...this.#sections.elements);
      this.#body.removeAttribute("aria-busy");
    }
    this.#sections.set(fleet);
  }

  /** Show a problem. What was read before stays while the service does not answer: the banner says so. */
  #fail(error) {
    if (this.#sections && error.isOutage) return;
    this.#sections?.close();
    this.#sections = null;
    this.#body.removeAttribute("aria-busy");
    this.#body.replaceChildren(failure(error, () => this.#read()));
  }
}

/** The sections of the view, whose contents change. */
class Sections {
  elements;
  #context;
  #closed = element("p", { class: "notice", role: "status" });
  #figures = element("div");
  #workers;
  #lanes;
  #hour = new LastHour();

  constructor(context, fleet) {
    this.#context = context;
    this.#workers = this.#table(text("fleet_workers"), this.#workerColumns(), (worker) => worker.name, fleet.workers, noWorker());
    this.#lanes = this.#table(text("fleet_lanes"), laneColumns(), laneKey, busyLanes(fleet), text("fleet_idle"));
    this.elements = [
      this.#closed,
      this.#figures,
      this.#hour.element,
      section("fleet_workers", this.#workers.element),
      section("fleet_lanes", element("div", { class: "lanes" }, this.#lanes.element)),
    ];
  }

  set(fleet) {
    this.#closed.hidden = fleet.submissions === "ok";
    this.#closed.textContent = text("fleet_closed", { reason: fleet.submissions });
    this.#figures.replaceChildren(figures(numbers(fleet)));
    this.#hour.set(fleet.history);
    this.#workers.set(fleet.workers);
    this.#lanes.set(busyLanes(fleet));
  }

  close() {
    this.#workers.close();
    this.#lanes.close();
  }

  #table(label, columns, key, items, empty) {
    const load = async () => ({ items, next: null });
    return new Table({ label, columns, key, load, empty, service: this.#context.service });
  }

  #workerColumns() {
    const column = (name, cell, kind) => ({ title: text(`fleet_${name}`), cell, kind });
    return [
      column("worker", nameOf, "wrap"),
      column("state", (worker) => state(worker.status)),
      column("device", (worker) => worker.device),
      column("slots", slotsOf),
      column("running", (worker) => this.#jobsOf(worker), "wrap"),
      column("models", modelsOf, "wrap"),
      column("started", (worker) => ago(worker.started_at)),
      column("seen", (worker) => ago(worker.lost_at ?? worker.last_seen_at)),
    ];
  }

  /** Return links to the jobs of the own tenant; the ids of the others are texts. */
  #jobsOf({ running }) {
    if (running.length === 0) return element("span", { class: "none" }, "—");
    const shown = running.slice(0, SHOWN_JOBS).map((job) => {
      const isOwn = job.tenant === this.#context.session.tenant;
      if (isOwn) return element("a", { class: "running-job", href: `/console/jobs/${encodeURIComponent(job.id)}`, title: job.id }, job.id);
      return element("span", { class: "running-job", title: `${job.tenant}: ${job.id}` }, `${job.tenant}: ${job.id}`);
    });
    const left = running.length - shown.length;
    return element("span", { class: "jobs-of" }, shown, left > 0 ? element("small", {}, `+${number(left)}`) : null);
  }
}

function section(title, content) {
  return element("section", { class: "stack" }, element("h2", {}, text(title)), content);
}

function numbers(fleet) {
  const count = (status) => fleet.workers.filter((worker) => worker.status === status).length;
  const live = fleet.workers.filter((worker) => worker.status !== "lost");
  const slots = live.reduce((sum, worker) => sum + (worker.slots ?? 0), 0);
  const notes = ["draining", "lost"].filter(count).map((status) => text(`fleet_count_${status}`, { count: number(count(status)) }));
  const oldest = Math.max(-1, ...fleet.lanes.map((lane) => lane.oldest_s ?? -1));
  return [
    [text("fleet_workers"), number(fleet.worker_count), notes.join(", ")],
    [text("fleet_running"), number(fleet.running_jobs), slots ? text("fleet_of_slots", { count: number(slots) }) : null],
    [text("fleet_queued"), number(fleet.queued_jobs), oldest < 0 ? null : text("fleet_since", { time: duration(1000 * oldest) })],
    [text("fleet_delayed"), number(fleet.delayed_jobs)],
    [text("fleet_streams"), number(fleet.streams)],
    [text("fleet_embeddings"), bytes(fleet.shared_embeddings_bytes), text("fleet_of_bytes", { size: bytes(fleet.max_shared_embeddings_bytes) })],
  ];
}

function noWorker() {
  const lines = [element("b", {}, text("fleet_no_worker")), element("p", {}, text("fleet_start_one")), copyable(COMMAND)];
  return element("div", { class: "state" }, lines);
}

function nameOf({ name, version }) {
  return element("span", {}, element("b", {}, name), version && element("small", {}, ` ${version}`));
}

function modelsOf({ models }) {
  const rows = models.map(({ model, engine, precision }) => element("div", {}, model, " ", element("small", {}, `${engine}, ${precision}`)));
  return rows.length ? element("div", {}, rows) : element("span", { class: "none" }, "—");
}

/** Return a mark for each slot, filled if it is busy. A job more than slots, such as a click, has a mark of its own. */
function slotsOf({ slots, running }) {
  if (slots === null) return element("span", { class: "none" }, "—");
  const busy = running.length;
  const marks = Array.from({ length: Math.max(slots, busy) }, (_, index) => element("i", { class: index < busy ? "busy" : null }));
  const label = text("fleet_busy_of", { busy: number(busy), slots: number(slots) });
  return element("span", { class: "slots" }, element("span", { class: "marks", "aria-hidden": "true" }, marks), label);
}

/** Return the lanes of `device: auto`, and those of other devices where something waits or runs. */
function busyLanes({ lanes }) {
  const most = Math.max(...lanes.map((lane) => lane.queued));
  const shown = lanes.filter((lane) => lane.device === "auto" || lane.queued || lane.running);
  return shown.map((lane) => ({ ...lane, most }));
}

function laneKey({ device, priority }) {
  return `${device} ${priority}`;
}

function laneColumns() {
  const column = (name, cell, kind) => ({ title: text(`fleet_${name}`), cell, kind });
  return [
    column("priority", (lane) => element("b", {}, text(`fleet_${lane.priority}`))),
    column("device", (lane) => (lane.device === "auto" ? text("fleet_any") : lane.device)),
    column("depth", (lane) => barred(lane.queued, lane.most), "number"),
    column("oldest", (lane) => (lane.oldest_s === null ? "—" : duration(1000 * lane.oldest_s)), "number"),
    column("running", (lane) => number(lane.running), "number"),
  ];
}
