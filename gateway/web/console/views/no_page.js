// What an address shows that names no view.

import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";

export const noPage = {
  path: /^/,
  title: "no_page",
  needs: null,
  show(place) {
    const back = element("a", { href: "/console" }, text("no_page_back"));
    place.append(element("div", { class: "state" }, element("h1", {}, text("view_no_page")), element("p", {}, back)));
    return () => {};
  },
};
