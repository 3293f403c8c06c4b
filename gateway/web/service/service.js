// The public API of the service: everything that the pages do goes through it.

import { Problem, problemOf } from "./problem.js";

const WAIT_SECONDS = 30; // for which one request is held; the page sends another one then
const PROBE_MS = 2000; // between two questions whether the service answers again
// Between two questions whether a worker has made a file. It takes a second or so; if no worker runs, it takes longer.
const FILE_PAUSE_MS = [300, 5000];

/**
 * The calls for models, jobs and files survive an outage: they are sent again when the service answers again.
 *
 * Dispatches "lost" when the service does not answer, "reached" when it answers again, and "refused" when it requires a
 * session and there is none.
 */
export class Service extends EventTarget {
  isLost = false;

  /** Return the models and detectors. */
  async models() {
    return (await this.#lasting(() => this.ask("GET", "/v1/models"))).data;
  }

  /** Send a file whose embedding a model shall make, and return the job. */
  embed(blob, model, signal) {
    const form = new FormData();
    form.append("image", blob, "image");
    form.append("request", JSON.stringify({ model, priority: "interactive" }));
    return this.#lasting(() => this.ask("POST", "/v1/embeddings", { form, signal }), signal);
  }

  /** As `embed`, for the image behind a URL. */
  embedUrl(url, model, signal) {
    const json = { image: url, model, priority: "interactive" };
    return this.#lasting(() => this.ask("POST", "/v1/embeddings", { json, signal }), signal);
  }

  /** Submit a job, and return it when it has ended. */
  async run(request, signal) {
    const job = await this.submit(request, WAIT_SECONDS, signal);
    return this.ended(job, signal);
  }

  /** Submit a job, and return it as it is after up to `wait` seconds. Sent twice, it is still one job. */
  submit(request, wait = 0, signal = undefined) {
    const headers = request.ephemeral ? {} : { "Idempotency-Key": randomKey() };
    return this.#lasting(() => this.ask("POST", `/v1/jobs?wait=${wait}`, { json: request, headers, signal }), signal);
  }

  /** Return the job when it has ended. Throws the Problem of one that did not succeed. */
  async ended(job, signal) {
    while (!job.is_final) job = await this.job(job.id, WAIT_SECONDS, signal);
    return succeeded(job);
  }

  job(id, wait = 0, signal = undefined) {
    const path = `/v1/jobs/${encodeURIComponent(id)}?wait=${wait}`;
    return this.#lasting(() => this.ask("GET", path, { signal }), signal);
  }

  /** Return a file of a job as a Blob, such as `image` or `preview`, which a worker may have to make first. */
  async file(job, name, signal = undefined) {
    for (let [pause, longest] = FILE_PAUSE_MS; ; pause = Math.min(2 * pause, longest)) {
      const response = await this.#lasting(() => this.send("GET", `${job.urls.files}/${name}`, { signal }), signal);
      if (response.status !== 202) return response.blob();
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  cancel(id) {
    return this.ask("POST", `/v1/jobs/${encodeURIComponent(id)}/cancel`);
  }

  /** Send a request, and return the JSON of its answer; null if the answer has no body. Throws a Problem. */
  async ask(method, path, request = {}) {
    const response = await this.send(method, path, request);
    return response.status === 204 ? null : response.json();
  }

  /** Send a request, and return its answer, a Response. Throws a Problem. */
  async send(method, path, { json, form, headers: more, signal } = {}) {
    const headers = { "X-Requested-With": "fetch", ...more }; // without it, the browser itself would ask for a key
    if (json) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, { method, headers, body: json ? JSON.stringify(json) : form, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw this.#noted(new Problem(0, "unreachable", String(error.message)));
    }
    if (!response.ok) throw this.#noted(await problemOf(response));
    this.#noted(null);
    return response;
  }

  /** Note whether the service has answered, and return the problem. */
  #noted(problem) {
    const isLost = problem?.isOutage ?? false;
    if (isLost !== this.isLost) {
      this.isLost = isLost;
      this.dispatchEvent(new Event(isLost ? "lost" : "reached"));
      if (isLost) this.#probe();
    }
    if (problem?.isAboutKey) this.dispatchEvent(new Event("refused"));
    return problem;
  }

  /** Ask whether the service answers again, until it does. */
  async #probe() {
    while (this.isLost) {
      await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
      await this.send("GET", "/readyz").catch(() => null);
    }
  }

  /** Return what `attempt` returns. While the service does not answer, wait, and then try again. */
  async #lasting(attempt, signal) {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!error.isOutage) throw error;
        await this.#reached(signal);
      }
    }
  }

  /** Return when the service answers; throw if the signal is aborted before that. */
  #reached(signal) {
    return new Promise((resolve, reject) => {
      if (!this.isLost) return resolve();
      this.addEventListener("reached", resolve, { once: true, signal });
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      return undefined;
    });
  }
}

/** Return a job that has succeeded. Throws the Problem of one that has not. */
export function succeeded(job) {
  if (job.status === "succeeded") return job;
  throw new Problem(422, job.error?.code ?? job.status, job.error?.message ?? "");
}

/** Return 32 random digits. `crypto.randomUUID` does not exist on a page without HTTPS. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
