// Dialogs that several views show: a question before an act, a form, a secret.

import { copyable, showDialog } from "../../page/dialog.js";
import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";
import { sentence } from "./failure.js";

/**
 * Show a form in a dialog. `content` are its elements, `action` is the text of its button, and `look` its class. `run`
 * is called when it is submitted. The dialog closes after that; if `run` throws a Problem, it stays and shows it.
 */
export function showForm({ title, content, action, look = "strong", run }) {
  const button = element("button", { type: "submit", class: `wide ${look}` }, action);
  const leave = element("button", { type: "button", class: "wide", onclick: () => dialog.close() }, text("cancel"));
  const problem = element("div", { role: "alert", class: "problem" });
  const buttons = element("div", { class: "row end" }, leave, button);
  const form = element("form", { class: "form" }, content, problem, buttons);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.replaceChildren();
    try {
      await run();
      dialog.close();
    } catch (error) {
      problem.replaceChildren(sentence(error), element("small", {}, error.status ? error.message : ""));
      button.disabled = false;
    }
  });
  const dialog = showDialog(title, form);
  form.querySelector("input, textarea")?.focus();
  return dialog;
}

/** Ask before an act that cannot be undone. `run` is the act. */
export function confirm({ title, about, action, run }) {
  const dialog = showForm({ title, content: element("p", {}, about), action, look: "danger", run });
  dialog.querySelector("button[type=button].wide").focus();
}

/** Show a secret that cannot be read again. */
export function showSecret({ title, about, secret }) {
  const done = element("button", { type: "button", class: "wide strong", onclick: () => dialog.close() }, text("done"));
  const warning = element("p", {}, element("b", {}, text("secret_once")));
  const dialog = showDialog(title, element("p", {}, about), copyable(secret), warning, element("div", { class: "row end" }, done));
}
