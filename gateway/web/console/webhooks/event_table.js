// The events of a webhook endpoint, newest first.

import { element } from "../../page/element.js";
import { eventsOf, readEvent, redeliver } from "../../service/endpoints.js";
import { text } from "../../texts/texts.js";
import { lastTry, stateOfEvent, triesButton } from "./deliveries.js";
import { sentence } from "../parts/failure.js";
import { Table } from "../parts/table.js";
import { ago } from "../parts/time.js";

export class EventTable {
  #context;
  #id;
  #table;
  #watched = new Set(); // ids of pending events that the first page of the list may lack, such as tests

  constructor(context, id) {
    this.#context = context;
    this.#id = id;
    const { service } = context;
    this.#table = new Table({
      label: text("webhook_its_events"),
      columns: this.#columns(),
      key: (event) => event.id,
      time: (event) => event.created_at,
      load: async (cursor, signal) => {
        const { events, next_cursor } = await eventsOf(service, id, cursor, signal);
        return { items: events, next: next_cursor };
      },
      empty: text("webhook_no_events"),
      service,
    });
    this.element = this.#table.element;
  }

  close() {
    this.#table.close();
  }

  /** Show an event, and follow it until it is delivered or dead. */
  watch(event) {
    this.#table.put(event);
    if (event.state === "pending") this.#watched.add(event.id);
    else this.#watched.delete(event.id);
  }

  /** Read the newest events and those that are followed. Throws a Problem. */
  async read(signal) {
    const { service } = this.#context;
    const { events } = await eventsOf(service, this.#id, null, signal);
    if (signal.aborted) return;
    for (const event of events) this.#table.put(event);
    const listed = new Set(events.map((event) => event.id));
    for (const id of this.#watched) {
      if (listed.has(id)) this.#watched.delete(id);
      else this.watch(await readEvent(service, id, signal));
    }
  }

  #columns() {
    const column = (name, cell, kind) => ({ title: text(`webhook_${name}`), cell, kind });
    return [
      column("created", (event) => ago(event.created_at)),
      column("event", (event) => element("code", {}, event.type)),
      column("about", aboutOf, "wrap"),
      column("state", stateOfEvent),
      column("last_try", lastTry),
      column("tries", triesButton, "number"),
      { title: "", cell: (event) => this.#redeliverButton(event), kind: "buttons" },
    ];
  }

  #redeliverButton(event) {
    const label = text("webhook_redeliver");
    return element("button", { type: "button", class: "wide small", onclick: () => this.#redeliver(event), "aria-label": `${label}: ${event.id}` }, label);
  }

  async #redeliver(event) {
    try {
      this.watch(await redeliver(this.#context.service, event.id));
    } catch (error) {
      this.#context.announce(sentence(error));
    }
  }
}

function aboutOf({ job_id, batch_id }) {
  if (job_id) return element("a", { href: `/console/jobs/${encodeURIComponent(job_id)}` }, job_id);
  if (batch_id) return element("a", { href: `/console/batches/${encodeURIComponent(batch_id)}` }, batch_id);
  return element("span", { class: "none" }, "—");
}
