// A job that is followed by its event stream until it has ended.

import { Events } from "./events.js";
import { Problem } from "./problem.js";
import { succeeded } from "./service.js";

/**
 * Return the job when it has succeeded. Throws the Problem of one that has not. `report(type, data)` is called for each
 * event before its end (docs/live-events.md). The stream is opened again after an outage.
 */
export async function followed(service, job, signal, report) {
  return succeeded(job.is_final ? job : await new Promise((resolve, reject) => {
    const settle = (finish, value) => {
      events.close();
      finish(value);
    };
    const events = new Events(service, `${job.urls.self}/events`, {
      event({ type, data }) {
        if (data.is_final) settle(resolve, data);
        else if (type === "job.deleted") settle(reject, new Problem(404, "not_found", ""));
        else report(type, data);
      },
      failed: (problem) => problem.isOutage || settle(reject, problem),
    });
    signal.addEventListener("abort", () => settle(reject, signal.reason), { once: true });
  }));
}
