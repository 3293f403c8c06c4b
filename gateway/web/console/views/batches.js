// All batches of the tenant, live.

import { element } from "../../page/element.js";
import { listBatches } from "../../service/batches.js";
import { Events } from "../../service/events.js";
import en from "../../texts/en/batches.js";
import { addTexts, number, text } from "../../texts/texts.js";
import zh from "../../texts/zh/batches.js";
import { countsBar } from "../batches/counts.js";
import { heading } from "../parts/heading.js";
import { state } from "../parts/state.js";
import { Table } from "../parts/table.js";
import { ago } from "../parts/time.js";

addTexts({ en, zh });

export const view = {
  path: /^\/console\/batches$/,
  title: "batches",
  needs: "jobs:read",
  show(place, { service }) {
    const table = new Table({
      label: text("view_batches"),
      columns: columns(),
      key: (batch) => batch.id,
      time: (batch) => batch.created_at,
      load: (cursor, signal) => listBatches(service, cursor, signal),
      empty: text("batches_none"),
      service,
    });
    const events = new Events(service, "/v1/events", { event, failed: () => {} });
    place.append(heading(text("view_batches")), table.element);

    function event({ type, data }) {
      if (type === "gap" || type === "feed.state") table.reload(); // the list is older than the stream
      else if (type === "batch.deleted") table.remove(data.id);
      else if (type.startsWith("batch.") && data.status) table.put(data);
    }
    return () => {
      events.close();
      table.close();
    };
  },
};

function columns() {
  return [
    { title: text("view_batch"), cell: name, kind: "wrap" },
    { title: text("batches_status"), cell: (batch) => state(batch.status) },
    { title: text("batches_progress"), cell: progress, kind: "wide-cell" },
    { title: text("batches_failed"), cell: (batch) => failed(batch.counts), kind: "number" },
    { title: text("batches_created"), cell: (batch) => ago(batch.created_at), kind: "number" },
  ];
}

function name({ id }) {
  return element("a", { href: `/console/batches/${encodeURIComponent(id)}`, class: "id" }, id);
}

function progress(batch) {
  const { done, total } = batch.progress;
  return element("div", { class: "two-lines" }, countsBar(batch), element("small", {}, text("progress_of", { done: number(done), total: number(total) })));
}

function failed({ failed: count }) {
  return element("span", { class: count ? "bad" : "none" }, number(count));
}
