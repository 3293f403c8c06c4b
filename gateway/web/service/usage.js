// What tenants have used.

/** Return the usage of the caller's own tenant since a day such as "2026-11-21". */
export function ownUsage(service, since, signal) {
  return service.ask("GET", `/v1/usage?since=${since}`, { signal });
}

/** Return a page of the usage of all tenants: `{ tenants, next_cursor }`. Only for admins. */
export function usageOfTenants(service, since, cursor, signal) {
  const after = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
  return service.ask("GET", `/v1/usage/tenants?since=${since}${after}`, { signal });
}
