// What went wrong with a request.

export class Problem extends Error {
  /** `status` is 0 and `code` "unreachable" if there was no answer. `message` is the service's own sentence, in English. */
  constructor(status, code, message, retryAfter = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  get isAboutKey() {
    return this.status === 401;
  }

  /** True if the service, or a server that it needs, does not answer; the same request may succeed later. */
  get isOutage() {
    return [0, 502, 504].includes(this.status) || (this.status === 503 && this.code !== "queue_full");
  }
}

/** Return the Problem in an answer that is not 2xx (RFC 9457). */
export async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  const code = String(body.code ?? `http_${response.status}`);
  const seconds = Number(response.headers.get("Retry-After")) || 0;
  return new Problem(response.status, code, String(body.detail ?? response.statusText), seconds);
}
