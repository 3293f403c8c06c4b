// A dialog with a title and a button that closes it.

import { text } from "../texts/texts.js";
import { element } from "./element.js";
import { icon } from "./icons.js";

/** Show a dialog and return it. `content` are its elements; it is removed when it is closed. */
export function showDialog(title, ...content) {
  removeDialogs();
  const properties = { type: "button", class: "quiet", "aria-label": text("close"), onclick: () => dialog.close() };
  const close = element("button", properties, icon("close"));
  const heading = element("h2", { id: "dialog-title" }, title);
  const body = element("div", {}, ...content);
  const dialog = element("dialog", { "aria-labelledby": "dialog-title" }, element("header", {}, heading, close), body);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Remove the dialog that is open, or one that was just closed: its `close` event comes later, after the next key perhaps. */
function removeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.close();
    dialog.remove();
  }
}

/** Return a text in a frame with a button that copies it. */
export function copyable(code) {
  const button = element("button", { type: "button" }, icon("copy"), text("copy"));
  button.addEventListener("click", async () => {
    await copy(code, button.parentElement);
    button.lastChild.textContent = text("copied");
    setTimeout(() => (button.lastChild.textContent = text("copy")), 1500);
  });
  const frame = element("pre", { class: "code", tabindex: "0" }, code);
  return element("div", { class: "copyable" }, frame, button);
}

/** Copy a text. Without HTTPS there is no `navigator.clipboard`; then it is selected and copied as by hand. */
async function copy(code, near) {
  if (navigator.clipboard) return navigator.clipboard.writeText(code);
  getSelection().selectAllChildren(near.querySelector("pre"));
  document.execCommand("copy");
  return undefined;
}
