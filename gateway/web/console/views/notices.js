// What is shown in place of a view: there is no such page, the key may not see it, or a person must sign in first.

import { signInForm } from "../../page/account.js";
import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";

export const noPage = notice("no_page");
export const forbidden = notice("forbidden");

function notice(title) {
  return {
    title,
    show(place) {
      const back = element("a", { href: "/console" }, text("no_page_back"));
      place.append(element("div", { class: "state" }, element("h1", {}, text(`view_${title}`)), element("p", {}, back)));
      return () => {};
    },
  };
}

/** Return the view that asks for a key. `done` is called with the session object of the API. */
export function signInView(done) {
  return {
    title: "sign_in",
    show(place, { service }) {
      const form = signInForm(service, done);
      const about = element("p", { class: "small" }, text("sign_in_about"));
      place.append(element("section", { class: "entrance" }, element("h1", {}, text("view_sign_in")), about, form));
      form.querySelector("input").focus();
      return () => {};
    },
  };
}
