// What the mouse and the keys do.

import { showDialog } from "../page/dialog.js";
import { element } from "../page/element.js";
import { text } from "../texts/texts.js";

const MOUSE = ["click", "right_click", "drag", "wheel", "space_drag", "shift_click"];
const KEYS = [
  ["← ↑ → ↓", "key_arrows"], ["Enter", "key_enter"], ["Alt Enter", "key_alt_enter"],
  ["Shift Enter", "key_shift_enter"],
  ["N", "new_object"], ["C", "key_candidate"], ["[ ]", "key_select"], ["Del", "key_remove"],
  ["Ctrl Z", "undo"], ["Ctrl Shift Z", "redo"], ["+ − 0", "key_zoom"], ["P O B M", "key_tools"], ["H", "key_hover"],
  ["/", "find"], ["Ctrl O", "open"], ["Ctrl S", "export"], ["Esc", "key_escape"],
];

export function showHelp() {
  const mouse = MOUSE.map((name) => [text(`mouse_${name}`), text(`mouse_${name}_does`)]);
  const keys = KEYS.map(([key, name]) => [key, text(name)]);
  showDialog(text("help"), element("h3", {}, text("mouse")), table(mouse), element("h3", {}, text("keys")), table(keys));
}

function table(rows) {
  const cells = rows.flatMap(([key, what]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, what)]);
  return element("dl", { class: "keys" }, cells);
}
