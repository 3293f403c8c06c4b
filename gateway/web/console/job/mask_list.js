// The list of masks: each can be hidden, and is shown strongly while the mouse or the keyboard is on it.

import { colourOf, css } from "../../objects/colours.js";
import { chosenOf } from "../../objects/objects.js";
import { element } from "../../page/element.js";
import { number, text } from "../../texts/texts.js";
import { stateOf } from "./masks.js";

export class MaskList {
  #show;
  #masks = [];
  #rows = new Map(); // by number
  #pointed = null;
  #list = element("ol", { class: "masks" });
  #count = element("span", { class: "count" });
  #all = element("input", { type: "checkbox", onchange: () => this.#turnAll() });
  #empty = element("p", { class: "none" });

  /** `show(state)` is called with the state of the stage whenever it changes. */
  constructor(show) {
    this.#show = show;
    const all = element("label", { class: "switch" }, this.#all, text("job_all_masks"));
    const title = element("h2", {}, text("job_masks"), " ", this.#count);
    this.element = element("section", { class: "mask-list" }, element("header", {}, title, all), this.#list, this.#empty);
  }

  /** Show these masks in place of others. `empty` is a text that is shown if there are none. */
  put(masks, empty) {
    this.#masks = [];
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#empty.textContent = empty;
    this.add(masks);
  }

  add(masks) {
    this.#masks.push(...masks);
    for (const mask of masks) this.#rows.set(mask.number, this.#row(mask));
    this.#list.append(...masks.map((mask) => this.#rows.get(mask.number)));
    this.#count.textContent = this.#masks.length ? number(this.#masks.length) : "";
    this.#empty.hidden = this.#masks.length > 0;
    this.#all.parentElement.hidden = this.#masks.length < 2;
    this.#changed();
  }

  get length() {
    return this.#masks.length;
  }

  /** Show one mask strongly, or with null none. */
  point(pointed) {
    if (pointed === this.#pointed) return;
    this.#rows.get(this.#pointed)?.classList.remove("pointed");
    this.#pointed = pointed;
    this.#rows.get(pointed)?.classList.add("pointed");
    this.#show(stateOf(this.#masks, pointed));
  }

  #row(mask) {
    const { score, mask: { area, width, height } } = chosenOf(mask);
    const share = (100 * area) / (width * height);
    const box = element("input", { type: "checkbox", checked: mask.isShown, onchange: () => this.#turn([mask], box.checked) });
    const figures = { area: number(area), share: number(share, share < 10 ? 1 : 0) };
    const label = element(
      "label",
      {},
      box,
      element("i", { class: "colour" }),
      element("span", { class: "name" }, mask.label || text("job_mask", { number: mask.number })),
      element("span", { class: "score" }, score === null ? "" : number(score, 2)),
      element("small", {}, text("job_area", figures)),
    );
    const row = element("li", { onpointerenter: () => this.point(mask.number), onpointerleave: () => this.point(null) }, label);
    row.style.setProperty("--own", css(colourOf(mask.number)));
    box.addEventListener("focus", () => this.point(mask.number));
    box.addEventListener("blur", () => this.point(null));
    return row;
  }

  #turn(masks, isShown) {
    for (const mask of masks) mask.isShown = isShown;
    this.#changed();
  }

  #turnAll() {
    for (const row of this.#rows.values()) row.querySelector("input").checked = this.#all.checked;
    this.#turn(this.#masks, this.#all.checked);
  }

  #changed() {
    const shown = this.#masks.filter((each) => each.isShown).length;
    this.#all.checked = shown === this.#masks.length;
    this.#all.indeterminate = shown > 0 && !this.#all.checked;
    this.#show(stateOf(this.#masks, this.#pointed));
  }
}
