// Changes what an element contains.

import { element } from "../../page/element.js";

/** Put children, as `element` takes them, into an element, unless it has equal ones: one of those may have the keyboard. */
export function renew(parent, ...children) {
  const made = [...element("div", {}, ...children).childNodes];
  const old = [...parent.childNodes];
  const isSame = made.length === old.length && made.every((each, i) => each.isEqualNode(old[i]));
  if (!isSame) parent.replaceChildren(...made);
}
