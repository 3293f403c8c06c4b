// Batches, and what can be done with them.

const PATH = "/v1/batches";

/** Return a page of batches: `{ items, next }`. */
export async function listBatches(service, cursor, signal) {
  const after = cursor ? `?cursor=${encodeURIComponent(cursor)}` : "";
  const { batches, next_cursor } = await service.ask("GET", PATH + after, { signal });
  return { items: batches, next: next_cursor };
}

export function cancelBatch(service, id) {
  return service.ask("POST", `${pathOf(id)}/cancel`);
}

/** Make a new batch of the items that failed, expired or were canceled, and return it. */
export function retryBatch(service, id) {
  return service.ask("POST", `${pathOf(id)}/retry`);
}

export function deleteBatch(service, id) {
  return service.send("DELETE", pathOf(id));
}

/** Return the address of the batch's route, or of one below it, such as "results". */
export function pathOf(id, route = "") {
  return `${PATH}/${encodeURIComponent(id)}${route && `/${route}`}`;
}
