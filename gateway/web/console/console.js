// The console: the bar, and below it the view that the address names. See router.js for addresses.

import { element } from "../page/element.js";
import { icon } from "../page/icons.js";
import { applyTheme, nextTheme } from "../page/theme.js";
import { Service } from "../service/service.js";
import en from "../texts/en/console.js";
import { addTexts, nextLanguage, text, writeTexts } from "../texts/texts.js";
import zh from "../texts/zh/console.js";
import { found, navigate, route } from "./router.js";
import { Session } from "./session.js";
import { noPage } from "./views/no_page.js";
import { view as usage } from "./views/usage.js";

/** All views. A view is shown in the bar if NAVIGATION has its address and the session may see it. */
const VIEWS = [usage];
const NAVIGATION = [
  ["/console", "jobs"],
  ["/console/batches", "batches"],
  ["/console/fleet", "fleet"],
  ["/console/webhooks", "webhooks"],
  ["/console/keys", "keys"],
  ["/console/usage", "usage"],
];
const PROBE_MS = 2000; // between two questions whether the service answers again
const SAID_MS = 6000; // for which a message is shown

addTexts({ en, zh });

const byId = (id) => document.getElementById(id);
const place = byId("view");
const service = new Service();
const session = new Session({ required: false, tenant: "default", key_id: null, scopes: [], expires_at: null });
let close = () => {}; // closes what the present view has opened
let hideSaid = null; // the timer that hides the message
let probing = null; // the timer of the next question

/** Show the view that the address names. */
function show() {
  close();
  const { view, parameters } = visible() ?? { view: noPage, parameters: {} };
  document.title = `${text(`view_${view.title}`)} · ovseg`;
  showNavigation();
  place.replaceChildren();
  place.className = `view ${view.title}`;
  close = view.show(place, { service, session, navigate, parameters, announce }) ?? (() => {});
}

/** Return the view that the address names if the session may see it, or null. */
function visible() {
  const named = found(VIEWS);
  return named && session.may(named.view.needs) ? named : null;
}

function showNavigation() {
  const links = NAVIGATION.filter(([path]) => VIEWS.some((view) => view.path.test(path) && session.may(view.needs)));
  const current = links.findLast(([path]) => path === "/console" || isBelow(path)) ?? [];
  const items = links.map(([path, title]) =>
    element("a", { href: path, "aria-current": path === current[0] ? "page" : null }, text(`view_${title}`)),
  );
  byId("views").replaceChildren(...items);
}

function isBelow(path) {
  return `${location.pathname}/`.startsWith(`${path}/`);
}

/** Show a message for a moment, which a screen reader also speaks. */
function announce(message) {
  clearTimeout(hideSaid);
  byId("said").textContent = message;
  hideSaid = setTimeout(() => (byId("said").textContent = ""), SAID_MS);
}

/** Show that the service does not answer, and ask it until it does. */
function showLost() {
  clearTimeout(probing);
  const isLost = service.isLost || !navigator.onLine;
  byId("banner").hidden = !isLost;
  if (!isLost) return;
  byId("banner").textContent = text(navigator.onLine ? "service_lost" : "problem_offline");
  probing = setTimeout(async () => {
    await service.send("GET", "/readyz").catch(() => null);
    showLost();
  }, PROBE_MS);
}

service.addEventListener("lost", showLost);
service.addEventListener("reached", () => announce(text("service_reached")));
addEventListener("offline", showLost);
byId("theme").addEventListener("click", nextTheme);
byId("language").addEventListener("click", () => {
  nextLanguage();
  show();
});
for (const each of document.querySelectorAll("[data-icon]")) each.prepend(icon(each.dataset.icon));
route(() => {
  show();
  place.focus({ preventScroll: true });
  scrollTo(0, 0);
});
applyTheme();
writeTexts(document);
show();
