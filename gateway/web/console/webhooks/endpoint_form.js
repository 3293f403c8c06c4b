// The form of a webhook endpoint.

import { element } from "../../page/element.js";
import { changeEndpoint, createEndpoint } from "../../service/endpoints.js";
import { Problem } from "../../service/problem.js";
import { text } from "../../texts/texts.js";
import { showForm } from "../parts/dialogs.js";
import { labelled } from "./field.js";

const ENDS = ["job.succeeded", "job.failed", "job.canceled", "job.expired"];
const EVENTS = ["job.started", ...ENDS, "batch.progress", "batch.completed"];

/**
 * Ask for the fields of a new endpoint, or, with an `endpoint`, for what is changed. `done` is called with the answer of the
 * service.
 */
export function showEndpointForm(service, endpoint, done) {
  const url = element("input", { type: "url", required: true, maxlength: 2048, value: endpoint?.url, placeholder: "https://…" });
  const description = element("input", { type: "text", maxlength: 256, value: endpoint?.description });
  const chosen = endpoint?.events ?? ENDS;
  const boxes = EVENTS.map((name) => element("input", { type: "checkbox", value: name, checked: chosen.includes(name) }));
  const choices = boxes.map((box) => element("label", { class: "choice" }, box, element("code", {}, box.value)));
  const headers = element("textarea", { rows: 2, spellcheck: "false", placeholder: "Authorization: Bearer …" });

  async function run() {
    const events = boxes.filter((box) => box.checked).map((box) => box.value);
    const fields = { url: url.value.trim(), description: description.value, events };
    if (headers.value.trim()) fields.headers = headersOf(headers.value);
    done(endpoint ? await changeEndpoint(service, endpoint.id, fields) : await createEndpoint(service, fields));
  }

  showForm({
    title: text(endpoint ? "webhook_edit" : "webhook_new"),
    content: [
      labelled(text("webhook_url"), url),
      labelled(text("webhook_description"), description),
      element("fieldset", {}, element("legend", {}, text("webhook_events")), element("div", { class: "choices" }, choices)),
      labelled(text("webhook_headers"), headers, aboutHeaders(endpoint)),
    ],
    action: text(endpoint ? "webhook_save" : "webhook_create"),
    run,
  });
}

function aboutHeaders(endpoint) {
  const names = endpoint?.header_names ?? [];
  return names.length ? text("webhook_headers_kept", { names: names.join(", ") }) : text("webhook_headers_about");
}

/** Return headers from lines "Name: value". Throws a Problem. */
function headersOf(lines) {
  const rows = lines.split("\n").filter((line) => line.trim());
  const pairs = rows.map((line) => /^\s*([^:\s]+)\s*:\s*(.+?)\s*$/.exec(line));
  const wrong = pairs.indexOf(null);
  if (wrong >= 0) throw new Problem(422, "header_line", rows[wrong]);
  return Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
}
