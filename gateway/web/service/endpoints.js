// Webhook endpoints, their events, and the deliveries of these.

const ROOT = "/v1/webhook-endpoints";

/** Return all endpoints, oldest first. */
export async function listEndpoints(service, signal) {
  return (await service.ask("GET", ROOT, { signal })).endpoints;
}

export function readEndpoint(service, id, signal) {
  return service.ask("GET", pathOf(id), { signal });
}

/** Create an endpoint, and return it with its secret. `fields` are `url`, `events`, `description` and `headers`. */
export function createEndpoint(service, fields) {
  return service.ask("POST", ROOT, { json: fields });
}

/** Change the given fields; `disabled` stops the endpoint or starts it again. */
export function changeEndpoint(service, id, fields) {
  return service.ask("PATCH", pathOf(id), { json: fields });
}

export function deleteEndpoint(service, id) {
  return service.ask("DELETE", pathOf(id));
}

/** Give an endpoint a new secret, and return the endpoint with it. */
export function rotateSecret(service, id) {
  return service.ask("POST", `${pathOf(id)}/rotate-secret`);
}

/** Send a test event, and return it. It is not in the list of the endpoint's events. */
export function testEndpoint(service, id) {
  return service.ask("POST", `${pathOf(id)}/test`);
}

/** Deliver the events of a span of time again, times as in the API, and return their number. */
export async function replayEvents(service, id, since, until) {
  let replayed = 0;
  for (let next = since; next !== null; ) {
    const answer = await service.ask("POST", `${pathOf(id)}/replay`, { json: { since: next, until } });
    replayed += answer.replayed;
    next = answer.next_since;
  }
  return replayed;
}

/** Return a page of the endpoint's events, newest first: `{ events, next_cursor }`. */
export function eventsOf(service, id, cursor, signal) {
  const after = cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`;
  return service.ask("GET", `${pathOf(id)}/events${after}`, { signal });
}

export function readEvent(service, id, signal) {
  return service.ask("GET", `/v1/events/${encodeURIComponent(id)}`, { signal });
}

/** Deliver an event again, and return it. */
export function redeliver(service, id) {
  return service.ask("POST", `/v1/events/${encodeURIComponent(id)}/redeliver`);
}

function pathOf(id) {
  return `${ROOT}/${encodeURIComponent(id)}`;
}
