// Who is signed in: the session object of the API. Its cookie is invisible to scripts.

export function readSession(service) {
  return service.ask("GET", "/v1/session");
}

export function signIn(service, key) {
  return service.ask("POST", "/v1/session", { json: { key } });
}

export function signOut(service) {
  return service.ask("DELETE", "/v1/session");
}
