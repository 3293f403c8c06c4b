// Times as people say them: "3 minutes ago", with the exact time as tooltip.

import { element } from "../../page/element.js";
import { currentLanguage } from "../../texts/texts.js";

const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const RENEWED_MS = 10_000;

/** Return an element for a time such as `created_at` of the API; it stays true while it is shown. A dash for null. */
export function ago(time) {
  if (!time) return element("span", { class: "none" }, "—");
  return element("time", { class: "ago", datetime: time, title: exactly(time) }, relative(time));
}

/** Return the exact time in the language and time zone of the reader. */
export function exactly(time) {
  return new Date(time).toLocaleString(currentLanguage(), { dateStyle: "medium", timeStyle: "long" });
}

function relative(time) {
  const seconds = (new Date(time) - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ["second", 1];
  const format = new Intl.RelativeTimeFormat(currentLanguage(), { style: "short", numeric: "auto" });
  return format.format(Math.trunc(seconds / length), unit);
}

setInterval(() => {
  for (const each of document.querySelectorAll("time.ago")) each.textContent = relative(each.dateTime);
}, RENEWED_MS);
