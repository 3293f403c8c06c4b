// Asks before something that cannot be undone.

import { showDialog } from "../../page/dialog.js";
import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";

/** Ask whether to do `action`, and return true if the answer is yes. `sentence` says what will happen. */
export function confirmed(action, sentence) {
  return new Promise((resolve) => {
    let answer = false;
    const decide = (yes) => () => {
      answer = yes;
      dialog.close();
    };
    const no = element("button", { type: "button", class: "wide", onclick: decide(false) }, text("keep"));
    const yes = element("button", { type: "button", class: "wide strong", onclick: decide(true) }, action);
    const buttons = element("div", { class: "row confirm" }, no, yes);
    const dialog = showDialog(action, element("p", {}, sentence), buttons);
    dialog.addEventListener("close", () => resolve(answer));
    no.focus();
  });
}
