// The form with the conditions of the list.

import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";
import { word } from "../parts/state.js";
import { keyOf, ofMetadata } from "./conditions.js";

const STATUSES = ["queued", "running", "succeeded", "failed", "canceled", "expired"];
const DEVICES = ["cpu", "gpu", "auto"];
const PAUSE_MS = 350; // after the last key, before the list is read with what was typed
const LOCAL_TIME = 16; // characters of 2026-11-26T08:30

export class Filters {
  #change;
  #fields = {}; // by the name of the condition
  #key;
  #value;
  #others; // conditions about further keys of the metadata, which an address may have
  #timer = 0;

  /** `conditions` are shown first, and `change(conditions)` is called after each change. `models` are names to choose. */
  constructor(conditions, change) {
    this.#change = change;
    this.models = element("datalist", { id: "models" });
    const [metadata, ...others] = [...conditions].filter(([name]) => keyOf(name));
    this.#others = others;
    const field = (name, made) => this.#labelled(name, (this.#fields[name] = made));
    const written = (name, options = {}) => field(name, this.#input(conditions.get(name), options));
    const time = (name) => field(name, this.#input(localTime(conditions.get(name)), { type: "datetime-local" }));
    this.#key = this.#input(metadata && keyOf(metadata[0]), { placeholder: text("jobs_key") });
    this.#value = this.#input(metadata?.[1], { placeholder: text("jobs_value"), "aria-label": text("jobs_metadata_value") });
    const hidden = ["name", "batch", "accepted_after", "accepted_before"].some((name) => conditions.has(name)) || metadata;
    const more = element(
      "details",
      { class: "more-filters", open: Boolean(hidden) },
      element("summary", { class: "wide" }, text("jobs_more_filters")),
      element(
        "div",
        { class: "filters" },
        written("name"),
        this.#labelled("metadata", element("span", { class: "pair" }, this.#key, element("span", {}, "="), this.#value), this.#key),
        written("batch"),
        time("accepted_after"),
        time("accepted_before"),
      ),
    );
    this.element = element(
      "form",
      { class: "filter", role: "search", "aria-label": text("jobs_filter") },
      element(
        "div",
        { class: "filters" },
        field("status", this.#select(STATUSES.map((each) => [each, word(each)]), conditions.get("status"))),
        written("model", { list: "models" }),
        field("device", this.#select(DEVICES.map((each) => [each, each]), conditions.get("device"))),
        this.models,
        element("button", { type: "reset", class: "wide" }, text("jobs_all")),
      ),
      more,
    );
    this.element.addEventListener("submit", (event) => event.preventDefault());
    this.element.addEventListener("reset", () => setTimeout(() => this.#clear()));
  }

  close() {
    clearTimeout(this.#timer);
  }

  #select(options, chosen) {
    const any = element("option", { value: "" }, text("jobs_any"));
    const made = options.map(([value, title]) => element("option", { value, selected: value === chosen }, title));
    return element("select", { onchange: () => this.#send() }, any, made);
  }

  #input(value, options) {
    const properties = { type: "text", autocomplete: "off", spellcheck: "false", maxlength: 200, value, ...options };
    const input = element("input", properties);
    input.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#send(), PAUSE_MS);
    });
    return input;
  }

  #labelled(name, shown, input = shown) {
    input.id = `filter-${name}`;
    return element("div", { class: "field" }, element("label", { for: input.id }, text(`jobs_${name}`)), shown);
  }

  /** Empty all fields: a reset alone restores what the address had. */
  #clear() {
    for (const each of [...Object.values(this.#fields), this.#key, this.#value]) each.value = "";
    this.#others = [];
    this.#send();
  }

  #send() {
    clearTimeout(this.#timer);
    const conditions = new URLSearchParams(this.#others);
    for (const [name, { value, type }] of Object.entries(this.#fields)) {
      const written = type === "datetime-local" && value ? new Date(value).toISOString() : value.trim();
      if (written) conditions.set(name, written);
    }
    if (this.#key.value.trim() && this.#value.value) conditions.set(ofMetadata(this.#key.value.trim()), this.#value.value);
    this.#change(conditions);
  }
}

/** Return a time of the API as a field for local times has it; null if there is none. */
function localTime(time) {
  const moment = new Date(time ?? NaN);
  if (Number.isNaN(moment.getTime())) return null;
  return new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, LOCAL_TIME);
}
