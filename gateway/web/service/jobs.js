// Lists of jobs, and what can be done with jobs.

const PATH = "/v1/jobs";

/** Return a page of jobs that meet the conditions of the list: `{ items, next }`. `conditions` are URLSearchParams. */
export async function listJobs(service, conditions, cursor, signal) {
  const query = new URLSearchParams(conditions);
  if (cursor) query.set("cursor", cursor);
  const { jobs, next_cursor } = await service.ask("GET", `${PATH}?${query}`, { signal });
  return { items: jobs, next: next_cursor };
}

/** Cancel jobs, and return what became of each. */
export function cancelJobs(service, ids) {
  return service.ask("POST", `${PATH}/cancel`, { json: { ids } });
}

/** Delete jobs, and return what became of each. */
export function deleteJobs(service, ids) {
  return service.ask("POST", `${PATH}/delete`, { json: { ids } });
}

export function deleteJob(service, id) {
  return service.send("DELETE", `${PATH}/${encodeURIComponent(id)}`);
}

/** Run the same again, and return the new job. */
export function retryJob(service, id) {
  return service.ask("POST", `${PATH}/${encodeURIComponent(id)}/retry`);
}

/** Return a page of the webhook events of a job, oldest first: `{ items, next }`. */
export async function eventsOfJob(service, id, cursor, signal) {
  const after = cursor ? `?cursor=${encodeURIComponent(cursor)}` : "";
  const path = `${PATH}/${encodeURIComponent(id)}/webhook-deliveries${after}`;
  const { events, next_cursor } = await service.ask("GET", path, { signal });
  return { items: events, next: next_cursor };
}

/** Deliver a webhook event again, and return it. */
export function redeliver(service, eventId) {
  return service.ask("POST", `/v1/events/${encodeURIComponent(eventId)}/redeliver`);
}
