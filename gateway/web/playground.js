// The playground: connects its parts. There is no framework and no build step: these files are what the browser runs.

import { withSelected, withoutObject } from "./objects/objects.js";
import { showAccount, signInForm } from "./page/account.js";
import { showDialog } from "./page/dialog.js";
import { element } from "./page/element.js";
import { icon } from "./page/icons.js";
import { applyTheme, nextTheme } from "./page/theme.js";
import { Candidates } from "./parts/candidates.js";
import { showExport } from "./parts/export_dialog.js";
import { showHelp } from "./parts/help_dialog.js";
import { showModels } from "./parts/model_dialog.js";
import { ObjectList } from "./parts/object_list.js";
import { PhotoSources } from "./parts/photo_sources.js";
import { showShare } from "./parts/share_dialog.js";
import { Status } from "./parts/status.js";
import { readSession } from "./service/session.js";
import { Clicking } from "./session/clicking.js";
import { Finding } from "./session/finding.js";
import { Hovering } from "./session/hovering.js";
import { Opening } from "./session/opening.js";
import { openJob } from "./session/saving.js";
import { Session } from "./session/session.js";
import { Keyboard } from "./stage/keyboard.js";
import { Pointer } from "./stage/pointer.js";
import { Stage } from "./stage/stage.js";
import en from "./texts/en/playground.js";
import { addTexts, nextLanguage, number, text, writeTexts } from "./texts/texts.js";
import zh from "./texts/zh/playground.js";

addTexts({ en, zh });

const byId = (id) => document.getElementById(id);
const session = new Session();
const stage = new Stage(byId("stage"), session);
const opening = new Opening(session);
const clicking = new Clicking(session, opening);
const hovering = new Hovering(session);
const finding = new Finding(session);
const pointer = new Pointer(byId("stage"), { stage, session, clicking, hovering });
const candidates = new Candidates(session);
const sources = new PhotoSources(opening);
new ObjectList(session);
new Status(session, () => opening.warm());

const actions = {
  positive: () => choose("positive"),
  negative: () => choose("negative"),
  box: () => choose("box"),
  move: () => choose("move"),
  fresh: () => session.replace(withSelected(session.state, null)),
  candidate: () => candidates.next(),
  hover: () => turnHover(!hovering.isOn),
  remove: () => session.state.selected && session.push(withoutObject(session.state, session.state.selected)),
  previous: () => select(-1),
  next: () => select(1),
  undo: () => session.undo(),
  redo: () => session.redo(),
  zoomIn: () => stage.zoom(1.4),
  zoomOut: () => stage.zoom(1 / 1.4),
  zoomFit: () => stage.showAll(),
  help: () => showHelp(),
  open: () => sources.choose(),
  export: () => session.state.objects.length && showExport(session),
  find: () => byId("phrases").focus(),
  escape: () => (session.running || session.draft ? stop() : session.replace(withSelected(session.state, null))),
};
new Keyboard(byId("stage"), { stage, session, clicking, hovering, pointer, actions });

const BUTTONS = {
  open: actions.open,
  choose: actions.open,
  sample: () => sources.openSample(),
  undo: actions.undo,
  redo: actions.redo,
  "zoom-in": actions.zoomIn,
  "zoom-out": actions.zoomOut,
  "zoom-fit": actions.zoomFit,
  export: actions.export,
  share: () => showShare(session),
  help: actions.help,
  everything: () => finding.everything(),
  stop: () => stop(),
  model: () => openModels(),
  key: () => showAccount(session.service, session.who, () => location.reload()),
  theme: () => nextTheme(),
  language: () => changeLanguage(),
};
for (const [id, action] of Object.entries(BUTTONS)) byId(id).addEventListener("click", () => action());
for (const each of document.querySelectorAll("[data-tool]")) each.addEventListener("click", () => choose(each.dataset.tool));
for (const each of document.querySelectorAll("[data-icon]")) each.prepend(icon(each.dataset.icon));
for (const each of document.querySelectorAll("[data-last-icon]")) each.append(icon(each.dataset.lastIcon));
byId("hover").addEventListener("change", (event) => turnHover(event.target.checked));
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  findTexts();
});
pointer.onPlace = (point) => {
  byId("place").textContent = point ? point.map((each) => number(Math.floor(each))).join(", ") : "";
};
stage.addEventListener("look", () => {
  byId("zoom").textContent = `${number((100 * stage.view.scale) / stage.ratio)} %`;
});
session.addEventListener("change", () => show());
session.addEventListener("answered", ({ detail }) => {
  // After the next frame the mask is on the screen.
  stage.addEventListener("drawn", () => requestAnimationFrame(() => measureClick(detail.start)), { once: true });
});

let shownPhoto = null;

/** Show what has no part of its own: which buttons work, and what they are called. */
function show() {
  const { photo, state, history, chosenModel, detector, problem, running } = session;
  byId("welcome").hidden = photo !== null || session.progress !== null;
  document.querySelector(".tools").hidden = photo === null;
  byId("undo").disabled = !history.canUndo;
  byId("redo").disabled = !history.canRedo;
  byId("export").disabled = byId("share").disabled = state.objects.length === 0;
  const isBusy = !session.canClick || running !== null;
  byId("everything").disabled = isBusy || !(chosenModel?.prompts.includes("everything") ?? false);
  byId("phrases").disabled = detector !== null && isBusy;
  byId("phrases").placeholder = text(detector || session.models.length === 0 ? "phrases_hint" : "needs_detector");
  byId("key").hidden = !session.who?.required;
  byId("model-name").textContent = session.model ?? "…";
  byId("hover").checked = hovering.isOn;
  byId("stage").setAttribute("aria-label", photo ? `${text("stage_name")}: ${photo.name}` : text("stage_name"));
  if (photo?.picture !== shownPhoto) {
    shownPhoto = photo?.picture ?? null;
    stage.cross = null;
    stage.showAll();
  }
  if (problem?.isAboutKey && !document.querySelector("dialog[open]")) signIn();
}

function choose(tool) {
  pointer.tool = tool;
  byId("drop").classList.toggle("moves", tool === "move");
  for (const each of document.querySelectorAll("[data-tool]")) each.setAttribute("aria-pressed", each.dataset.tool === tool);
}

function stop() {
  finding.stop();
  clicking.stop();
}

function turnHover(isOn) {
  hovering.turn(isOn);
  show();
}

function select(step) {
  const numbers = session.state.objects.map((each) => each.number);
  if (numbers.length === 0) return;
  const at = numbers.indexOf(session.state.selected);
  const next = at < 0 ? (step > 0 ? 0 : numbers.length - 1) : (at + step + numbers.length) % numbers.length;
  session.replace(withSelected(session.state, numbers[next]));
}

/** Show the models as they are now: one may have been installed since the page was opened. */
async function openModels() {
  await readModels().catch((error) => session.failed(error));
  showModels(session, chooseModel);
}

async function findTexts() {
  if (!session.detector) await readModels().catch((error) => session.failed(error));
  if (!session.detector) showModels(session, chooseModel);
  else if (session.canClick) finding.texts(byId("phrases").value);
}

async function readModels() {
  const models = await session.service.models();
  const usual = models.find((each) => each.is_default && !each.prompts.includes("text"));
  session.set({ models, model: session.model ?? usual?.id ?? models[0].id });
}

function chooseModel(name) {
  session.set({ model: name, preview: null });
  opening.warm();
}

function changeLanguage() {
  nextLanguage();
  session.set({});
}

function measureClick(start) {
  const duration = performance.now() - start;
  performance.measure("click to mask", { start, duration });
  session.set({ clickMs: duration });
}

/** Ask for a key, then do what failed without it. */
function signIn() {
  session.set({ problem: null });
  const form = signInForm(session.service, () => {
    dialog.close();
    begin();
  });
  const dialog = showDialog(text("sign_in"), element("p", {}, text("key_about")), form);
  form.querySelector("input").focus();
}

/** Read who is signed in and which models there are, and open the job that the address names. */
async function begin() {
  try {
    session.set({ who: await readSession(session.service) });
    await readModels();
    session.set({ problem: null });
    const job = new URLSearchParams(location.search).get("job");
    if (job && !session.photo) await openJob(session, opening, job);
    else if (session.photo?.blob && !session.photo.isSent) await opening.warm();
  } catch (error) {
    session.failed(error, { progress: null });
    if (error.isOutage) session.service.addEventListener("reached", begin, { once: true });
  }
}

applyTheme();
writeTexts(document);
choose("positive");
session.set({});
begin();
globalThis.playground = { session, stage }; // for measurements and for the curious
