// The models to choose from. One that is not installed shows the command that fetches it.

import { copyable, showDialog } from "../page/dialog.js";
import { element } from "../page/element.js";
import { number, text } from "../texts/texts.js";

/** Show all models. `choose` is called with the name of the chosen one. */
export function showModels(session, choose) {
  const makers = session.models.filter((each) => !each.prompts.includes("text"));
  const detectors = session.models.filter((each) => each.prompts.includes("text"));
  const choices = { class: "list", role: "radiogroup", "aria-label": text("models") };
  const dialog = showDialog(
    text("models"),
    element("p", { class: "small" }, text("models_about")),
    element("div", choices, present(makers).map((model) => row(model, session, pick))),
    absent(makers),
    element("h3", {}, text("detectors")),
    element("p", { class: "small" }, text("detectors_about")),
    element("div", { class: "list" }, present(detectors).map((model) => row(model, session, null))),
    absent(detectors),
  );
  function pick(name) {
    dialog.close();
    choose(name);
  }
}

/** Return the models that may be chosen: also those of which it is unknown whether they are installed. */
function present(models) {
  return models.filter((each) => each.installed !== false);
}

/** Return the other models, folded. They are open if there is no choice without them. */
function absent(models) {
  const found = models.filter((each) => each.installed === false);
  if (found.length === 0) return null;
  const title = element("summary", {}, text("more_models", { count: found.length }));
  const isOpen = found.length === models.length;
  return element("details", { class: "more", open: isOpen }, title, element("div", { class: "list" }, found.map(missing)));
}

function row(model, session, pick) {
  const isChosen = model.id === session.model;
  const name = element("span", {}, element("b", {}, model.id), element("small", {}, about(model)));
  const badge = element("span", { class: "badge" }, text(model.installed === null ? "unknown" : "installed"));
  if (!pick) return element("div", { class: "missing row" }, name, badge);
  const properties = { type: "button", class: "choice", role: "radio", "aria-checked": isChosen ? "true" : "false" };
  return element("button", { ...properties, onclick: () => pick(model.id) }, name, badge);
}

function missing(model) {
  const name = element("span", {}, element("b", {}, model.id), element("small", {}, about(model)));
  const badge = element("span", { class: "badge" }, text("not_installed"));
  return element(
    "details",
    { class: "missing" },
    element("summary", {}, name, badge),
    element("p", { class: "small" }, text("how_to_install")),
    copyable(`ovseg models pull ${model.id}`),
  );
}

function about(model) {
  const size = model.bytes ? `${number(model.bytes / 1e6)} MB` : "";
  const engine = model.workers.find((each) => each.is_loaded)?.engine;
  return [size, model.licence, engine].filter(Boolean).join(" · ");
}
