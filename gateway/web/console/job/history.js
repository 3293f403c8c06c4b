// What happened to a job, in order. The service keeps only the last attempt: earlier ones are listed if the page saw them.

import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";
import { word } from "../parts/state.js";
import { exactly } from "../parts/time.js";

export class History {
  #entries = new Map(); // by what happened, so that nothing is listed twice
  element = element("ol", { class: "history" });

  /** Note what a job object says. */
  note(job) {
    this.#put("accepted", job.accepted_at, text("history_accepted"));
    if (job.started_at) {
      const { attempt, worker } = job;
      this.#put(`attempt ${attempt}`, job.started_at, text("history_attempt", { attempt, worker: worker ?? "" }));
    }
    if (job.cancel_requested_at) this.#put("cancel", job.cancel_requested_at, text("history_cancel"));
    if (job.completed_at) this.#put("end", job.completed_at, word(job.status));
    this.#show();
  }

  /** Note that an attempt has ended, and the job waits for another one. */
  noteRequeued(time, attempt) {
    this.#put(`end of ${attempt}`, time, text("history_requeued", { attempt }));
    this.#show();
  }

  #put(key, time, words) {
    if (!this.#entries.has(key)) this.#entries.set(key, { time, words });
  }

  #show() {
    const sorted = [...this.#entries.values()].sort((a, b) => new Date(a.time) - new Date(b.time));
    const items = sorted.map(({ time, words }) =>
      element("li", {}, element("time", { datetime: time, title: exactly(time) }, clock(time)), element("span", {}, words)),
    );
    this.element.replaceChildren(...items);
  }
}

/** Return the time of the day with milliseconds. */
function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
}
