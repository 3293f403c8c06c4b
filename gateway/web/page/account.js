// Signing in with an API key, and who is signed in.

import { signIn, signOut } from "../service/session.js";
import { currentLanguage, hasText, text } from "../texts/texts.js";
import { showDialog } from "./dialog.js";
import { element } from "./element.js";

/** Return the form that asks for a key. `done` is called once the key has opened a session. */
export function signInForm(service, done) {
  const field = element("input", {
    type: "password", id: "key-text", autocomplete: "current-password", spellcheck: "false", placeholder: "ovk_...",
    required: true, "aria-describedby": "key-problem",
  });
  const button = element("button", { type: "submit", class: "wide strong" }, text("sign_in"));
  const problem = element("p", { id: "key-problem", class: "problem", role: "alert" });
  const form = element(
    "form",
    { class: "sign-in" },
    element("label", { for: "key-text" }, text("key")),
    element("div", { class: "row" }, field, button),
    problem,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = "";
    try {
      done(await signIn(service, field.value.trim()));
    } catch (error) {
      problem.textContent = refusal(error);
      field.select();
    }
    button.disabled = false;
  });
  return form;
}

function refusal(error) {
  if (error.isAboutKey) return text("key_refused");
  return text(hasText(`problem_${error.code}`) ? `problem_${error.code}` : "problem_other");
}

/** Show who is signed in, with a button that ends the session. `session` is the session object; `done` is called then. */
export function showAccount(service, session, done) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  const ends = session.expires_at && new Date(session.expires_at).toLocaleString(currentLanguage(), style);
  const facts = [
    [text("account_tenant"), session.tenant],
    [text("key"), element("code", {}, session.key_id)],
    [text("account_scopes"), session.scopes.join(", ")],
    [text("account_ends"), ends],
  ];
  const rows = facts.filter(([, fact]) => fact).flatMap(([name, fact]) => [element("dt", {}, name), element("dd", {}, fact)]);
  const leave = async () => {
    await signOut(service);
    dialog.close();
    done();
  };
  const button = element("button", { type: "button", class: "wide", onclick: leave }, text("sign_out"));
  const dialog = showDialog(text("account"), element("dl", { class: "who" }, rows), element("div", { class: "row" }, button));
}
