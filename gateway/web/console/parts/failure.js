// What a view shows in place of what it could not read.

import { element } from "../../page/element.js";
import { hasText, text } from "../../texts/texts.js";

/** Return the sentence for a Problem in the language of the reader. */
export function sentence(problem) {
  const name = `problem_${problem.code}`;
  return hasText(name) ? text(name) : text("problem_other");
}

/** Return an element that shows a Problem; its button calls `again`. */
export function failure(problem, again) {
  return element(
    "div",
    { class: "state", role: "alert" },
    element("b", {}, sentence(problem)),
    problem.status ? element("small", {}, problem.message) : null,
    element("button", { type: "button", class: "wide", onclick: again }, text("again")),
  );
}
