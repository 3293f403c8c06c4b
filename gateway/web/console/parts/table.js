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
  #changes = null; // while a page is read, which may be older: what was put meanwhile, by key; null for what was removed

  /**
   * `label` names the table. `columns` are `{ title, head, cell, kind }`: `cell(item)` returns a text or an element, `kind`
   * is a class of its cells, such as "number", and `head` may be an element in place of the title. `key(item)` identifies an
   * item, and `time(item)` is the time by which the service lists them. `load(cursor, signal)` returns `{ items, next }`;
   * the first cursor is null, and so is `next` after the last page. `empty` is an element or a text for an empty table.
   * `service` says when it is worth trying again.
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

  has(key) {
    return this.#rows.has(key);
  }

  get size() {
    return this.#rows.size;
  }

  /** Show an item: in the row with the same key, or else in a new row at its place, unless that is on a later page. */
  put(item) {
    const key = this.#given.key(item);
    this.#changes?.set(key, item);
    if (this.#rows.has(key)) return this.#renew(this.#rows.get(key), item);
    const row = this.#row(item, true);
    const after = [...this.#body.rows].find((each) => each.dataset.time < row.dataset.time) ?? null;
    if (after === null && this.#next !== null) return undefined;
    this.#body.insertBefore(row, after);
    this.#rows.set(key, row);
    return this.#show("ready");
  }

  /** Show these items, in this order, and no others. */
  set(items) {
    const keys = items.map(this.#given.key);
    const isNew = this.element.dataset.state === "ready"; // of a row that is made
    for (const [key, row] of this.#rows) {
      if (keys.includes(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    items.forEach((item, place) => {
      const [row, there] = [this.#rows.get(keys[place]), this.#body.children[place] ?? null];
      if (row) this.#renew(row, item);
      else this.#rows.set(keys[place], this.#row(item, isNew));
      if (!row || row !== there) this.#body.insertBefore(this.#rows.get(keys[place]), there);
    });
    this.#show(items.length ? "ready" : "empty");
  }

  /** Remove the row of an item, if it is shown. */
  remove(key) {
    this.#changes?.set(key, null);
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
    this.#changes = new Map();
    try {
      const { items, next } = await this.#given.load(cursor, signal);
      if (signal.aborted) return;
      this.#next = next;
      this.#take(items, cursor === null);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** Show a page that was read, and again what has changed meanwhile. */
  #take(items, isFirst) {
    const changes = this.#changes;
    this.#changes = null;
    if (isFirst) this.set(items);
    else for (const item of items) this.#append(item);
    this.#show(this.#rows.size ? "ready" : "empty");
    for (const [key, item] of changes) {
      if (item === null) this.remove(key);
      else this.put(item);
    }
  }

  /** Append an item, unless its row is there already: it may have moved from one page to the next meanwhile. */
  #append(item) {
    const key = this.#given.key(item);
    if (this.#rows.has(key)) return;
    this.#rows.set(key, this.#row(item));
    this.#body.append(this.#rows.get(key));
  }

  #row(item, isNew = false) {
    const cells = this.#given.columns.map(({ title, cell, kind }) =>
      element("td", { class: kind, "data-title": title }, cell(item)),
    );
    return element("tr", { "data-time": this.#given.time?.(item), class: isNew && "new" }, cells);
  }

  /** Change the cells that differ. The others stay the same elements: one of them may have the keyboard. */
  #renew(row, item) {
    this.#given.columns.forEach(({ cell }, i) => {
      const made = cell(item);
      const content = made instanceof Node ? made : document.createTextNode(made ?? "");
      const old = row.cells[i].firstChild;
      if (content !== old && !old?.isEqualNode(content)) row.cells[i].replaceChildren(content);
    });
  }

  #show(state) {
    this.#more.disabled = false;
    this.#more.hidden = this.#next === null;
    if (state === this.element.dataset.state) return;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", state === "loading" ? "true" : "false");
    const { empty } = this.#given;
    if (state === "ready") this.element.replaceChildren(this.#table(this.#body), this.#more);
    else if (state === "loading") this.element.replaceChildren(this.#table(this.#skeleton()));
    else this.element.replaceChildren(typeof empty === "string" ? element("p", { class: "state" }, empty) : empty);
  }

  #fail(error) {
    this.#changes = null;
    this.#show("failed");
    this.#rows.clear();
    this.#body.replaceChildren();
    this.element.replaceChildren(failure(error, () => this.reload()));
  }

  #table(body) {
    const titles = this.#given.columns.map(({ title, head, kind }) =>
      element("th", { scope: "col", class: kind }, head ?? title),
    );
    const label = element("caption", { class: "hidden" }, this.#given.label);
    return element("table", {}, label, element("thead", {}, element("tr", {}, titles)), body);
  }

  #skeleton() {
    const cells = () => this.#given.columns.map(() => element("td", {}, element("i", { class: "skeleton" })));
    return element("tbody", { "aria-hidden": "true" }, Array.from({ length: SKELETON_ROWS }, () => element("tr", {}, cells())));
  }
}
