// The list of objects: one row each, with its colour, label, score and area.

import { colourOf, css } from "../objects/colours.js";
import { NOTHING, changed, chosenOf, withSelected, withoutObject } from "../objects/objects.js";
import { element } from "../page/element.js";
import { icon } from "../page/icons.js";
import { currentLanguage, number, text } from "../texts/texts.js";

const MAX_LABEL = 128; // characters, as the API allows in `name`

export class ObjectList {
  #session;
  #rows = new Map(); // by the object's number
  #list = document.querySelector("#objects");
  #shown = null; // what the rows were made of

  constructor(session) {
    this.#session = session;
    session.addEventListener("change", () => this.show());
    document.querySelector("#clear").addEventListener("click", () => session.push(NOTHING));
    document.querySelector("#new").addEventListener("click", () => session.replace(withSelected(session.state, null)));
  }

  /** Show the present objects. A row stays the same element, so that a label can be typed meanwhile. */
  show() {
    const { state, photo } = this.#session;
    const facts = [state, photo, currentLanguage()];
    if (this.#shown?.every((each, i) => each === facts[i])) return; // a preview changes no row
    this.#shown = facts;
    const numbers = new Set(state.objects.map((each) => each.number));
    for (const [key, row] of this.#rows) {
      if (numbers.has(key)) continue;
      row.item.remove();
      this.#rows.delete(key);
    }
    state.objects.forEach((object, i) => this.#showRow(object, i));
    document.querySelector("#count").textContent = state.objects.length || "";
    document.querySelector("#clear").disabled = state.objects.length === 0;
    document.querySelector("#new").disabled = state.selected === null;
    const empty = document.querySelector("#empty");
    empty.hidden = state.objects.length > 0;
    empty.textContent = text(photo ? "empty_objects" : "empty_photo");
  }

  #showRow(object, index) {
    if (!this.#rows.has(object.number)) this.#rows.set(object.number, this.#newRow(object.number));
    const row = this.#rows.get(object.number);
    if (this.#list.children[index] !== row.item) this.#list.insertBefore(row.item, this.#list.children[index] ?? null);
    this.#showSelected(row, object.number === this.#session.state.selected);
    if (row.object === object && row.language === currentLanguage()) return;
    Object.assign(row, { object, language: currentLanguage() });
    const { score, mask } = chosenOf(object);
    const share = (100 * mask.area) / (mask.width * mask.height);
    row.pick.setAttribute("aria-label", text("pick", { number: object.number }));
    row.remove.setAttribute("aria-label", text("remove", { number: object.number }));
    row.remove.title = `${text("remove", { number: object.number })} (Del)`;
    row.label.setAttribute("aria-label", text("label_of", { number: object.number }));
    row.label.placeholder = text("label_hint", { number: object.number });
    if (document.activeElement !== row.label) row.label.value = object.label;
    row.figures.textContent = text("figures", {
      score: number(score, 2),
      area: number(mask.area),
      share: number(share, share < 10 ? 1 : 0),
    });
  }

  #showSelected(row, isSelected) {
    if (row.isSelected === isSelected) return;
    row.isSelected = isSelected;
    row.item.classList.toggle("selected", isSelected);
    row.pick.setAttribute("aria-pressed", isSelected);
    // Later, because it computes the layout, and the mask should be on the screen first.
    if (isSelected) setTimeout(() => row.item.scrollIntoView({ block: "nearest" }));
  }

  #newRow(key) {
    const session = this.#session;
    const pick = element("button", {
      type: "button",
      class: "pick",
      onclick: () => session.replace(withSelected(session.state, session.state.selected === key ? null : key)),
    }, String(key));
    const label = element("input", {
      type: "text",
      maxlength: MAX_LABEL,
      autocomplete: "off",
      onchange: () => session.push(changed(session.state, key, { label: label.value.trim() })),
      onkeydown: (event) => event.key === "Enter" && label.blur(),
    });
    const figures = element("span", { class: "figures" });
    const remove = element("button", {
      type: "button",
      class: "quiet",
      onclick: () => session.push(withoutObject(session.state, key)),
    }, icon("remove"));
    const item = element("li", {}, pick, label, remove, figures);
    item.style.setProperty("--own", css(colourOf(key)));
    return { item, pick, label, figures, remove };
  }
}
