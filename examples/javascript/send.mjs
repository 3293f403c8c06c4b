import { setTimeout } from "node:timers/promises";

const SERVICE = process.env.OVSEG_URL ?? "http://127.0.0.1:8080";
const KEY = process.env.OVSEG_API_KEY;
const TRY_AGAIN = [429, 502, 503, 504]; // too much, or out of order: 502 and 504 are a proxy's

/** Returns the answer to a request, which is sent again if the service is busy or unreachable. */
export async function send(path, options = {}) {
  const headers = new Headers(options.headers);
  if (KEY) headers.set("Authorization", `Bearer ${KEY}`);
  for (let tries = 1; ; tries++) {
    const answer = await fetch(SERVICE + path, { ...options, headers }).catch((error) => error);
    if (answer.ok) return answer;
    const isFault = answer instanceof Error;
    const reason = isFault ? answer : new Error(`${answer.status}: ${await answer.text()}`);
    if (tries === 8 || !(isFault || TRY_AGAIN.includes(answer.status))) throw reason;
    const seconds = isFault ? 0 : Number(answer.headers.get("Retry-After"));
    await setTimeout(1000 * (seconds || 2 ** (tries - 1)) * (1 + Math.random() / 4));
  }
}
