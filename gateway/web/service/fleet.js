// What the whole service does. Only for admins.

/** Return the workers, the lanes and the last hour. */
export function readFleet(service, signal) {
  return service.ask("GET", "/v1/fleet", { signal });
}
