// Follows an event stream of the service (docs/live-events.md) until it is closed. A connection that breaks is made again,
// and continues after the last event that came. In place of the browser's EventSource, which gives up after a 503.

const SILENCE_MS = 25_000; // the service sends a comment every ten seconds, so this connection is dead
const RETRY_MS = 2000; // until the service has named a time
const FINAL = [401, 403, 404]; // another request would get the same answer

export class Events {
  #given;
  #closing = new AbortController();
  #retryMs = RETRY_MS;
  #lastId = "";

  /**
   * Follow the stream at `path`. `event({ type, timestamp, data })` is called for each event, and `failed(problem)` when
   * there is no stream: it is opened again, unless the problem is final (no key, no such job).
   */
  constructor(service, path, { event, failed }) {
    this.#given = { service, path, event, failed };
    this.#run();
  }

  close() {
    this.#closing.abort();
  }

  async #run() {
    while (!this.#closing.signal.aborted) {
      let pause = this.#retryMs;
      try {
        if (await this.#follow()) return;
      } catch (problem) {
        if (this.#closing.signal.aborted) return;
        if (problem.status !== undefined) this.#given.failed(problem); // otherwise an open connection has broken
        if (FINAL.includes(problem.status)) return;
        pause = Math.max(pause, 1000 * (problem.retryAfter ?? 0));
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Read the stream until its connection ends. Return true if no event will follow. */
  async #follow() {
    const { service, path } = this.#given;
    const silence = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, silence.signal]);
    const after = this.#lastId ? `?last_event_id=${encodeURIComponent(this.#lastId)}` : "";
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const response = await service.send("GET", path + after, { signal });
      if (response.status === 204) return true;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) return false;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        const messages = (text + value).split("\n\n");
        text = messages.pop();
        for (const message of messages) this.#take(message);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #take(message) {
    if (this.#closing.signal.aborted) return;
    const fields = {};
    for (const line of message.split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trimStart();
    }
    if (fields.retry) this.#retryMs = Number(fields.retry);
    if (fields.data) this.#given.event(JSON.parse(fields.data));
    if (fields.id) this.#lastId = fields.id;
  }
}
