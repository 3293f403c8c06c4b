// API keys, for admins.

/** Return a page of all keys, the newest first: `{ keys, next_cursor }`. */
export function listKeys(service, cursor, signal) {
  const after = cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`;
  return service.ask("GET", `/v1/keys${after}`, { signal });
}

/** Create a key, and return its object with `key`, the text, which no other answer has. */
export function createKey(service, fields) {
  return service.ask("POST", "/v1/keys", { json: fields });
}

/** Change the limits of a key: `{ requests_per_minute, prompts_per_minute }`; null is the limit of the settings. */
export function changeKey(service, id, limits) {
  return service.ask("PATCH", `/v1/keys/${encodeURIComponent(id)}`, { json: limits });
}

/** Give a key a new secret, and return its object with `key`, the new text. */
export function rotateKey(service, id) {
  return service.ask("POST", `/v1/keys/${encodeURIComponent(id)}/rotate`);
}

export function revokeKey(service, id) {
  return service.ask("POST", `/v1/keys/${encodeURIComponent(id)}/revoke`);
}
