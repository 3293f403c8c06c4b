// The first line of a view: its title, and what can be done there.

import { element } from "../../page/element.js";

/** Return the heading of a view; `actions` are buttons, links and fields at its end. */
export function heading(title, ...actions) {
  return element("header", { class: "heading" }, element("h1", {}, title), element("div", { class: "actions" }, actions));
}
