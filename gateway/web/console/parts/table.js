// A table of objects that the service lists in pages, newest first; and what stands there before, without and instead.

import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";
import { failure } from "./failure.js";

const SKELETON_ROWS = 4;

export class Table {
  element = element("div", { class: "table" });
  #given;
  #rows = new Map(); // by key
  #body = element("tbody");
  #more = element("button", { type: "button", class: "wide more", onclick: () => this.#load(this.#next) }, text("more"));
  #next = null; // the cursor of the next page
  #reading = new AbortController();

  /**
   * `label` names the table. `columns` are `{ title, cell, kind }`: `cell(item)` returns a text or an element, and `kind` is
   * a class of its cells, such as "number". `key(item)` identifies an item. `load(cursor, signal)` returns
   * `{ items, next }`; the first cursor is null, and so is `next` after the last page. `empty` is an element or a text for
   * an empty table. `service` says when it is worth trying again.
   */
  constructor(given) {
    this.#given = given;
    given.service.addEventListener("reached", this.#tryAgain);
    this.reload();
  }

  /** Read the first page. What is shown stays until it has come. */
  async reload() {
    await this.#load(null);
  }

  /** Show an item: in place of the row with the same key, or else as the first row. */
  put(item) {
    const row = this.#row(item);
    const old = this.#rows.get(this.#given.key(item));
    if (old) old.replaceWith(row);
    else this.#body.prepend(row);
    this.#rows.set(this.#given.key(item), row);
    this.#show("ready");
  }

  /** Remove the row of an item, if it is shown. */
  remove(key) {
    this.#rows.get(key)?.remove();
    this.#rows.delete(key);
    if (this.element.dataset.state === "ready") this.#show(this.#rows.size ? "ready" : "empty");
  }

  /** Stop reading. */
  close() {
    this.#reading.abort();
    this.#given.service.removeEventListener("reached", this.#tryAgain);
  }

  #tryAgain = () => this.element.dataset.state === "failed" && this.reload();

  async #load(cursor) {
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    if (this.#rows.size === 0) this.#show("loading");
    this.#more.disabled = true;
    try {
      const { items, next } = await this.#given.load(cursor, signal);
      if (signal.aborted) return;
      if (cursor === null) this.#clear();
      this.#next = next;
      for (const item of items) this.#append(item);
      this.#show(this.#rows.size ? "ready" : "empty");
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #clear() {
    this.#rows.clear();
    this.#body.replaceChildren();
  }

  /** Append an item, unless its row is there already: it may have moved from one page to the next meanwhile. */
  #append(item) {
    const key = this.#given.key(item);
    if (this.#rows.has(key)) return;
    this.#rows.set(key, this.#row(item));
    this.#body.append(this.#rows.get(key));
  }

  #row(item) {
    const cells = this.#given.columns.map(({ title, cell, kind }) =>
      element("td", { class: kind, "data-title": title }, cell(item)),
    );
    return element("tr", {}, cells);
  }

  #show(state) {
    this.#more.disabled = false;
    this.#more.hidden = this.#next === null;
    if (state === "ready" && this.element.dataset.state === "ready") return;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", state === "loading" ? "true" : "false");
    const { empty } = this.#given;
    if (state === "ready") this.element.replaceChildren(this.#table(this.#body), this.#more);
    else if (state === "loading") this.element.replaceChildren(this.#table(this.#skeleton()));
    else this.element.replaceChildren(typeof empty === "string" ? element("p", { class: "state" }, empty) : empty);
  }

  #fail(error) {
    this.#show("failed");
    this.#clear();
    this.element.replaceChildren(failure(error, () => this.reload()));
  }

  #table(body) {
    const titles = this.#given.columns.map(({ title, kind }) => element("th", { scope: "col", class: kind }, title));
    const label = element("caption", { class: "hidden" }, this.#given.label);
    return element("table", {}, label, element("thead", {}, element("tr", {}, titles)), body);
  }

  #skeleton() {
    const cells = () => this.#given.columns.map(() => element("td", {}, element("i", { class: "skeleton" })));
    return element("tbody", { "aria-hidden": "true" }, Array.from({ length: SKELETON_ROWS }, () => element("tr", {}, cells())));
  }
}
