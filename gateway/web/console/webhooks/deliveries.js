// A webhook event: its state, and the tries to deliver it.

import { showDialog } from "../../page/dialog.js";
import { element } from "../../page/element.js";
import { number, text } from "../../texts/texts.js";
import { duration } from "../parts/figures.js";
import { state } from "../parts/state.js";
import { ago, exactly } from "../parts/time.js";

/** Return the state of an event, and when it is tried next. */
export function stateOfEvent(event) {
  const word = state(event.state);
  const isRetried = event.state === "pending" && event.tries > 0 && event.next_try_at;
  return isRetried ? element("span", { class: "stacked" }, word, element("small", {}, text("webhook_next_try"), " ", ago(event.next_try_at))) : word;
}

/** Return how the last try ended: the status of the answer, or why there was none, and how long it took. */
export function lastTry(event) {
  const [last] = event.deliveries;
  if (!last) return element("span", { class: "none" }, "—");
  return element("span", {}, answerOf(last), " ", element("small", {}, duration(Math.round(last.duration_ms))));
}

/** Return a button that shows all kept tries of an event. It differs from the one before when there was another try. */
export function triesButton(event) {
  const { deliveries } = event;
  const properties = { type: "button", class: "text", "aria-haspopup": "dialog", onclick: () => showTries(event) };
  return element("button", { ...properties, "data-last": deliveries[0]?.at }, number(deliveries.length));
}

function showTries(event) {
  const rows = event.deliveries.map((delivery) =>
    element(
      "li",
      {},
      element("div", { class: "row" }, answerOf(delivery), element("small", {}, exactly(delivery.at)), element("small", {}, duration(Math.round(delivery.duration_ms)))),
      element("small", {}, delivery.url),
      delivery.answer ? element("pre", { class: "code", tabindex: "0" }, delivery.answer) : null,
    ),
  );
  const none = element("p", {}, text("webhook_no_tries"));
  showDialog(text("webhook_tries"), element("code", {}, event.id), rows.length ? element("ol", { class: "tries" }, rows) : none);
}

function answerOf({ status, error }) {
  const isGood = status !== null && status < 300;
  return element("b", { class: isGood ? "good-text" : "bad-text" }, status ?? error ?? "—");
}
