// All webhook endpoints of the tenant.

import { element } from "../../page/element.js";
import { listEndpoints } from "../../service/endpoints.js";
import en from "../../texts/en/webhooks.js";
import { addTexts, text } from "../../texts/texts.js";
import zh from "../../texts/zh/webhooks.js";
import { heading } from "../parts/heading.js";
import { state } from "../parts/state.js";
import { Table } from "../parts/table.js";
import { ago } from "../parts/time.js";
import { showEndpointForm } from "../webhooks/endpoint_form.js";
import { showSecretOf } from "../webhooks/secret.js";

addTexts({ en, zh });

export const view = {
  path: /^\/console\/webhooks$/,
  title: "webhooks",
  needs: "webhooks",
  show(place, { service }) {
    const create = () => showEndpointForm(service, null, created);
    const button = () => element("button", { type: "button", class: "wide strong", "aria-haspopup": "dialog", onclick: create }, text("webhook_new"));
    const table = new Table({
      label: text("view_webhooks"),
      columns: columns(),
      key: (endpoint) => endpoint.id,
      time: (endpoint) => endpoint.created_at,
      load: async (cursor, signal) => ({ items: (await listEndpoints(service, signal)).toReversed(), next: null }),
      empty: element("div", { class: "state" }, element("b", {}, text("webhook_none")), element("p", {}, text("webhook_none_about"))),
      service,
    });

    function created(endpoint) {
      table.put(endpoint);
      showSecretOf(endpoint);
    }

    place.append(heading(text("view_webhooks"), button()), table.element);
    return () => table.close();
  },
};

function columns() {
  const column = (name, cell, kind) => ({ title: text(`webhook_${name}`), cell, kind });
  return [
    column("url", urlOf, "wrap"),
    column("status", (endpoint) => state(endpoint.status)),
    column("events", eventNames, "wrap"),
    column("last_success", (endpoint) => ago(endpoint.last_success_at)),
    column("last_failure", (endpoint) => ago(endpoint.last_failure_at)),
  ];
}

/** Return the names of the events that an endpoint has chosen. */
export function eventNames(endpoint) {
  return element("span", {}, endpoint.events.map((name) => element("code", { class: "event" }, name)));
}

function urlOf(endpoint) {
  const link = element("a", { href: `/console/webhooks/${encodeURIComponent(endpoint.id)}` }, endpoint.url);
  return element("span", { class: "stacked" }, link, endpoint.description ? element("small", {}, endpoint.description) : null);
}
