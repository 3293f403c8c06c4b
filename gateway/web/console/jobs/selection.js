// Jobs that a person has selected, and what can be done with all of them.

import { element } from "../../page/element.js";
import { cancelJobs, deleteJobs, retryJob } from "../../service/jobs.js";
import { number, text } from "../../texts/texts.js";
import { confirm } from "../parts/dialogs.js";

export class Selection {
  #context;
  #boxes = new Map(); // by the job's id
  #count = element("b", { role: "status" });
  all = element("input", { type: "checkbox", "aria-label": text("jobs_select_all"), onchange: () => this.#selectAll() });

  constructor(context) {
    this.#context = context;
    const button = (name, act) => element("button", { type: "button", class: "wide", onclick: act }, text(name));
    this.element = element(
      "div",
      { class: "selection", role: "region", "aria-label": text("jobs_selection"), hidden: true },
      this.#count,
      button("jobs_cancel", () => this.#do("cancel", (ids) => cancelJobs(context.service, ids))),
      button("jobs_retry", () => this.#do("retry", (ids) => retryAll(context.service, ids))),
      button("jobs_delete", () => this.#do("delete", (ids) => deleteJobs(context.service, ids))),
      button("jobs_select_none", () => this.clear()),
    );
  }

  /** Return the checkbox of a job, always the same one. */
  box(id) {
    if (!this.#boxes.has(id)) {
      const label = text("jobs_select", { id });
      this.#boxes.set(id, element("input", { type: "checkbox", "aria-label": label, onchange: () => this.#show() }));
    }
    return this.#boxes.get(id);
  }

  forget(id) {
    this.#boxes.delete(id);
    this.#show();
  }

  clear() {
    for (const box of this.#boxes.values()) box.checked = false;
    this.#show();
  }

  get size() {
    return this.#ids.length;
  }

  get #ids() {
    return [...this.#boxes].filter(([, box]) => box.checked && box.isConnected).map(([id]) => id);
  }

  #selectAll() {
    for (const box of this.#boxes.values()) box.checked = this.all.checked;
    this.#show();
  }

  #show() {
    const count = this.size;
    this.element.hidden = count === 0;
    this.#count.textContent = text("jobs_selected", { count: number(count) });
    this.all.checked = count > 0 && [...this.#boxes.values()].every((box) => box.checked || !box.isConnected);
    this.all.indeterminate = count > 0 && !this.all.checked;
  }

  /** Do something with the selected jobs, if the person confirms it. */
  #do(name, change) {
    const ids = this.#ids;
    const title = text(`jobs_${name}`);
    const run = async () => {
      const { count: done, results } = await change(ids);
      const left = results.length - done;
      this.#context.announce(text(left ? "jobs_done_some" : "jobs_done", { done: number(done), left: number(left) }));
      this.clear();
    };
    confirm({ title, action: title, about: text(`jobs_confirm_${name}`, { count: number(ids.length) }), run });
  }
}

/** Retry jobs one after the other, and return what became of them as the routes for many jobs do. */
async function retryAll(service, ids) {
  const results = [];
  for (const id of ids) {
    const problem = await retryJob(service, id).then(() => null, (failed) => failed);
    if (problem?.isOutage) throw problem;
    results.push({ id, problem });
  }
  return { count: results.filter(({ problem }) => problem === null).length, results };
}
