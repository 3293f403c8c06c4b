// The console: the bar, and below it the view that the address names. See router.js for addresses.

import { showAccount } from "../page/account.js";
import { element } from "../page/element.js";
import { icon } from "../page/icons.js";
import { applyTheme, nextTheme } from "../page/theme.js";
import { Service } from "../service/service.js";
import { readSession } from "../service/session.js";
import en from "../texts/en/console.js";
import { addTexts, nextLanguage, text, writeTexts } from "../texts/texts.js";
import zh from "../texts/zh/console.js";
import { failure } from "./parts/failure.js";
import { found, navigate, route } from "./router.js";
import { Session } from "./session.js";
import { view as batch } from "./views/batch.js";
import { view as batches } from "./views/batches.js";
import { view as fleet } from "./views/fleet.js";
import { view as job } from "./views/job.js";
import { view as jobs } from "./views/jobs.js";
import { view as keys } from "./views/keys.js";
import { forbidden, noPage, signInView } from "./views/notices.js";
import { view as usage } from "./views/usage.js";
import { view as webhook } from "./views/webhook.js";
import { view as webhooks } from "./views/webhooks.js";

/** All views. A view is shown in the bar if NAVIGATION has its address and the session may see it. */
const VIEWS = [jobs, job, batches, batch, fleet, webhooks, webhook, keys, usage];
const NAVIGATION = [
  ["/console", "jobs"],
  ["/console/batches", "batches"],
  ["/console/fleet", "fleet"],
  ["/console/webhooks", "webhooks"],
  ["/console/keys", "keys"],
  ["/console/usage", "usage"],
];
const SAID_MS = 6000; // for which a message is shown

addTexts({ en, zh });

const byId = (id) => document.getElementById(id);
const place = byId("view");
const service = new Service();
let session = null; // null while nobody is signed in
let close = () => {}; // closes what the present view has opened
let hideSaid = null; // the timer that hides the message
let ending = null; // the timer of the session's end

/** Read who is signed in, and show the view, or ask for a key. */
async function begin() {
  try {
    enter(await readSession(service));
  } catch (error) {
    if (error.isAboutKey) return; // `leave` asks for a key
    place.replaceChildren(failure(error, begin));
    service.addEventListener("reached", begin, { once: true });
  }
}

/** Show the console to a person, who has the session object `answer`. */
function enter(answer) {
  session = new Session(answer);
  clearTimeout(ending);
  if (session.required && session.expires_at) ending = setTimeout(check, new Date(session.expires_at) - Date.now());
  show();
}

/** Show the console to a person who has just signed in. */
function entered(answer) {
  enter(answer);
  place.focus({ preventScroll: true });
}

/** Ask for a key, unless the page does so already. `reason` is a message, or null. */
function leave(reason) {
  if (session === null && place.classList.contains("sign_in")) return;
  session = null;
  document.querySelector("dialog[open]")?.close();
  show();
  if (reason) announce(reason);
}

/** Find out whether the session has ended: if it has, `leave` is called. */
function check() {
  if (session?.required) readSession(service).catch(() => {});
}

/** Show the view that the address names. */
function show() {
  close();
  const links = session ? NAVIGATION.filter(([path]) => VIEWS.some((view) => view.path.test(path) && session.maySee(view))) : [];
  if (links.length && location.pathname === "/console" && links[0][0] !== "/console") history.replaceState(null, "", links[0][0]);
  const { view, parameters } = chosen();
  document.title = `${text(`view_${view.title}`)} · ovseg`;
  byId("account").hidden = !session?.required;
  showNavigation(links);
  place.replaceChildren();
  place.className = `view ${view.title}`;
  close = view.show(place, { service, session, navigate, parameters, announce }) ?? (() => {});
}

/** Return the view for the address and the session, and the parameters in the address. */
function chosen() {
  if (session === null) return { view: signInView(entered), parameters: {} };
  const named = found(VIEWS) ?? { view: noPage, parameters: {} };
  return named.view === noPage || session.maySee(named.view) ? named : { view: forbidden, parameters: {} };
}

function showNavigation(links) {
  const current = links.findLast(([path]) => (path === "/console" ? isJobs() : isBelow(path)))?.[0];
  const items = links.map(([path, title]) =>
    element("a", { href: path, "aria-current": path === current ? "page" : null }, text(`view_${title}`)),
  );
  byId("views").replaceChildren(...items);
  // On a phone, the bar is wider than the screen.
  items.find((item) => item.hasAttribute("aria-current"))?.scrollIntoView({ block: "nearest", inline: "center" });
}

function isJobs() {
  return location.pathname === "/console" || isBelow("/console/jobs");
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

/** Show that the service does not answer, until it does. */
function showLost() {
  byId("banner").hidden = !service.isLost && navigator.onLine;
  byId("banner").textContent = text(navigator.onLine ? "service_lost" : "problem_offline");
}

service.addEventListener("lost", showLost);
service.addEventListener("reached", () => {
  showLost();
  announce(text("service_reached"));
});
service.addEventListener("refused", () => leave(session && text("session_ended")));
addEventListener("offline", showLost);
addEventListener("online", showLost);
document.addEventListener("visibilitychange", () => document.hidden || check());
byId("account").addEventListener("click", () => showAccount(service, session, () => leave(text("signed_out"))));
byId("theme").addEventListener("click", nextTheme);
byId("language").addEventListener("click", () => {
  nextLanguage();
  show();
});
for (const each of document.querySelectorAll("[data-icon]")) each.prepend(icon(each.dataset.icon));
route(() => {
  show();
  if (session) place.focus({ preventScroll: true });
  scrollTo(0, 0);
});
applyTheme();
writeTexts(document);
begin();
