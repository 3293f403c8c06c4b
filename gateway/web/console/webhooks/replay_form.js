// The form for the time whose events are delivered again.

import { element } from "../../page/element.js";
import { replayEvents } from "../../service/endpoints.js";
import { text } from "../../texts/texts.js";
import { showForm } from "../parts/dialogs.js";
import { labelled } from "./field.js";

const DAY_MS = 86_400_000;
const SOON_MS = 1000; // so that the event of this moment is within the time

/** Ask for a time, by default the last day, and replay its events. `done` is called with their number. */
export function showReplayForm(service, endpoint, done) {
  const now = Date.now();
  const since = element("input", { type: "datetime-local", required: true, step: 1, value: localTime(now - DAY_MS) });
  const until = element("input", { type: "datetime-local", required: true, step: 1, value: localTime(now + SOON_MS) });
  const moment = (field) => new Date(field.value).toISOString();
  showForm({
    title: text("webhook_replay"),
    content: [
      element("p", {}, text("webhook_replay_about")),
      labelled(text("webhook_since"), since),
      labelled(text("webhook_until"), until),
    ],
    action: text("webhook_replay"),
    run: async () => done(await replayEvents(service, endpoint.id, moment(since), moment(until))),
  });
}

/** Return a time as a field of the type datetime-local takes it: in the time zone of the reader. */
function localTime(ms) {
  const shifted = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}
