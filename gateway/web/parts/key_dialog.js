// Asks for an API key, where the service requires one.

import { showDialog } from "../page/dialog.js";
import { element } from "../page/element.js";
import { text } from "../texts/texts.js";

/** Ask for a key. `done` is called with it. `problem` is what was wrong with the one before, or null. */
export function askForKey(problem, done) {
  const properties = { type: "password", id: "key-text", autocomplete: "off", spellcheck: "false", placeholder: "ovk_..." };
  const field = element("input", { ...properties, required: true });
  const form = element(
    "form",
    { class: "row" },
    element("label", { class: "hidden", for: "key-text" }, text("key")),
    field,
    element("button", { type: "submit", class: "wide strong" }, text("sign_in")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    done(field.value.trim());
  });
  const dialog = showDialog(
    text("sign_in"),
    element("p", {}, text("key_about")),
    problem ? element("p", { role: "alert" }, text("key_refused")) : null,
    form,
    element("p", { class: "small" }, text("key_memory")),
  );
  field.focus();
}
