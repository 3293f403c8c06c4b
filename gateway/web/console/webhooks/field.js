// A field of a form.

import { element } from "../../page/element.js";

/** Return a field with its name above it, and a hint below it. */
export function labelled(name, field, hint = null) {
  return element("label", { class: "field" }, element("span", {}, name), field, hint && element("small", {}, hint));
}
