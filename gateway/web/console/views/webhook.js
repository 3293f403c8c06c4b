// One webhook endpoint: what it is, what can be done with it, and its events.

import { element } from "../../page/element.js";
import { changeEndpoint, deleteEndpoint, readEndpoint, rotateSecret, testEndpoint } from "../../service/endpoints.js";
import { number, text } from "../../texts/texts.js";
import { confirm } from "../parts/dialogs.js";
import { failure, sentence } from "../parts/failure.js";
import { heading } from "../parts/heading.js";
import { polled } from "../parts/polling.js";
import { state } from "../parts/state.js";
import { ago } from "../parts/time.js";
import { showEndpointForm } from "../webhooks/endpoint_form.js";
import { EventTable } from "../webhooks/event_table.js";
import { showReplayForm } from "../webhooks/replay_form.js";
import { showSecretOf, verification } from "../webhooks/secret.js";
import { eventNames } from "./webhooks.js";

// The stream of events says that a job has ended, but not that a receiver was notified of it.
const READ_MS = 3000;

export const view = {
  path: /^\/console\/webhooks\/(?<id>[^/]+)$/,
  title: "webhook",
  needs: "webhooks",
  show(place, context) {
    const page = new EndpointPage(place, context);
    return () => page.close();
  },
};

class EndpointPage {
  #context;
  #id;
  #top = element("div", { class: "stack", "aria-busy": "true" }, element("i", { class: "skeleton" }));
  #shown = null; // the endpoint as it is shown
  #events;
  #reading = new AbortController();
  #stop;

  constructor(place, context) {
    this.#context = context;
    this.#id = context.parameters.id;
    this.#events = new EventTable(context, this.#id);
    place.append(this.#top, element("h2", {}, text("webhook_its_events")), this.#events.element, verification(this.#id));
    this.#stop = polled(() => this.#read(), READ_MS);
  }

  close() {
    this.#stop();
    this.#reading.abort();
    this.#events.close();
  }

  async #read() {
    const { signal } = this.#reading;
    try {
      const endpoint = await readEndpoint(this.#context.service, this.#id, signal);
      if (signal.aborted) return;
      this.#show(endpoint);
      if (this.#shown) await this.#events.read(signal);
    } catch (error) {
      if (!signal.aborted && !(this.#shown && error.isOutage)) this.#fail(error);
    }
  }

  #fail(error) {
    this.#shown = null;
    this.#top.removeAttribute("aria-busy");
    this.#top.replaceChildren(heading(text("view_webhook")), failure(error, () => this.#read()));
  }

  #show(endpoint) {
    if (JSON.stringify(endpoint) === JSON.stringify(this.#shown)) return;
    this.#shown = endpoint;
    this.#top.removeAttribute("aria-busy");
    const isDisabled = endpoint.status === "disabled";
    const actions = [
      this.#button("test", () => this.#test(), isDisabled),
      this.#button("edit", () => showEndpointForm(this.#context.service, endpoint, (changed) => this.#show(changed))),
      this.#button(isDisabled ? "enable" : "disable", () => this.#change({ disabled: !isDisabled })),
      this.#button("replay", () => this.#replay(), isDisabled),
      this.#button("rotate", () => this.#rotate()),
      this.#button("delete", () => this.#delete()),
    ];
    const back = element("a", { class: "back", href: "/console/webhooks" }, text("view_webhooks"));
    const focused = [...this.#top.querySelectorAll("button")].indexOf(document.activeElement);
    this.#top.replaceChildren(...[back, heading(endpoint.url, ...actions), warning(endpoint), facts(endpoint)].filter(Boolean));
    this.#top.querySelectorAll("button")[focused]?.focus();
  }

  #button(name, act, disabled = false) {
    return element("button", { type: "button", class: "wide", onclick: act, disabled }, text(`webhook_${name}`));
  }

  #test() {
    return this.#try(async () => {
      this.#events.watch(await testEndpoint(this.#context.service, this.#id));
      this.#context.announce(text("webhook_test_sent"));
    });
  }

  #change(fields) {
    return this.#try(async () => this.#show(await changeEndpoint(this.#context.service, this.#id, fields)));
  }

  #replay() {
    const done = (count) => this.#context.announce(text("webhook_replayed", { count: number(count) }));
    showReplayForm(this.#context.service, this.#shown, done);
  }

  #rotate() {
    this.#confirm("rotate", async () => showSecretOf(await rotateSecret(this.#context.service, this.#id)));
  }

  #delete() {
    this.#confirm("delete", async () => {
      await deleteEndpoint(this.#context.service, this.#id);
      this.#context.navigate("/console/webhooks");
    });
  }

  #confirm(name, run) {
    const action = text(`webhook_${name}`);
    confirm({ title: action, about: text(`webhook_${name}_about`), action, run });
  }

  /** Do what a button is for, and say so if it fails. */
  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.#context.announce(sentence(error));
    }
  }
}

/** Return why an endpoint needs an operator, or null. */
function warning(endpoint) {
  if (endpoint.status === "failing") return notice(text("webhook_failing_about"), ago(endpoint.failing_since));
  if (endpoint.status === "disabled" && endpoint.disabled_reason !== "asked for") return notice(text("webhook_gone_about"), ago(endpoint.disabled_at));
  return null;
}

function notice(sentence, since) {
  return element("p", { class: "notice" }, sentence, " ", since);
}

function facts(endpoint) {
  const rows = [
    ["status", state(endpoint.status)],
    ["id", element("code", {}, endpoint.id)],
    ["description", endpoint.description || null],
    ["events", eventNames(endpoint)],
    ["headers", endpoint.header_names.join(", ") || null],
    ["created", ago(endpoint.created_at)],
    ["last_success", ago(endpoint.last_success_at)],
    ["last_failure", ago(endpoint.last_failure_at)],
    ["old_secret", endpoint.old_secret_until && ago(endpoint.old_secret_until)],
  ];
  const shown = rows.filter(([, value]) => value);
  return element("dl", { class: "facts" }, shown.map(([name, value]) => element("div", {}, element("dt", {}, text(`webhook_${name}`)), element("dd", {}, value))));
}
