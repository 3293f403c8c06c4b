// Who uses the console, and what this person may see and do.

export class Session {
  /** `answer` is the session object of the API. */
  constructor(answer) {
    this.required = answer.required; // false if the service requires no keys
    this.tenant = answer.tenant;
    this.key_id = answer.key_id;
    this.scopes = answer.scopes;
    this.expires_at = answer.expires_at;
  }

  /** Return true if what needs a scope is allowed; null is the scope of what everyone may do. */
  may(scope) {
    return scope === null || this.scopes.includes(scope) || this.scopes.includes("admin");
  }

  /** Return true if a view is for this person. */
  maySee(view) {
    return this.may(view.needs) && (this.required || !view.onlyWithKeys);
  }
}
