// Makes elements. A text becomes a text node, so nothing from outside is ever read as HTML.

/**
 * Return a new element. `properties` are attributes; a function under a name such as `onclick` is a listener, true is an
 * attribute without a value, and false, null or undefined leave the attribute out.
 */
export function element(tag, properties = {}, ...children) {
  return furnish(document.createElement(tag), properties, children);
}

/** As `element`, for SVG. */
export function vector(tag, properties = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function furnish(made, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}
