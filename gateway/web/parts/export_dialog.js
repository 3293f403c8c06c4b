// Everything that the objects can be saved as.

import { coco, labelme, nameOf, svg, yolo } from "../exports/annotations.js";
import { curl, inCode, paddlex, python } from "../exports/code.js";
import { cutout, masks, overlay } from "../exports/pictures.js";
import { zip } from "../exports/zip.js";
import { copyable, showDialog } from "../page/dialog.js";
import { element } from "../page/element.js";
import { text } from "../texts/texts.js";

const PICTURES = { masks, cutout, overlay };
const DATA = { coco, yolo, labelme, svg };
const CODE = { curl: ["curl", curl], python: ["Python", python], paddlex: ["PaddleX", paddlex] };

export function showExport(session) {
  const { objects } = session.state;
  showDialog(
    text("export"),
    element("p", { class: "small" }, text("export_count", { count: objects.length })),
    element("h3", {}, text("export_pictures")),
    element("div", { class: "formats" }, formats(PICTURES, session)),
    element("h3", {}, text("export_data")),
    element("div", { class: "formats" }, formats(DATA, session)),
    element("p", { class: "small" }, text("polygons_about")),
    element("h3", {}, text("export_code")),
    ...codes(session),
  );
}

function formats(makers, session) {
  return Object.entries(makers).map(([name, make]) => {
    const button = element(
      "button",
      { type: "button", "data-format": name },
      element("b", {}, text(`format_${name}`)),
      element("small", {}, text(`format_${name}_about`)),
    );
    button.addEventListener("click", async () => {
      button.disabled = true;
      const [file, blob] = await made(name, make, session);
      download(file, blob);
      button.disabled = false;
    });
    return button;
  });
}

/** Return the name and the content of the file for one format; several files are in an archive. */
async function made(name, make, { photo, state: { objects } }) {
  const stem = safe(photo.name.replace(/\.[^.]*$/, "")) || "photo";
  const names = objects.map((each) => safe(nameOf(each)));
  const files = await make({ photo, objects, names, stem });
  if (files.length === 1) return [files[0].name, files[0].blob];
  return [`${stem}_${name}.zip`, await zip(files)];
}

/** Return a text as a part of a file's name. */
function safe(name) {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 60);
}

function download(name, blob) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function codes({ who, photo, model, state }) {
  const objects = inCode(state.objects);
  const leftOut = state.objects.length - objects.length;
  const url = new URL("./", location.href).href;
  const frame = element("div", { role: "tabpanel" });
  const tabs = Object.entries(CODE).map(([name, [title, write]]) => {
    const tab = element("button", { type: "button", role: "tab", "data-code": name }, title);
    tab.addEventListener("click", () => show(tab, write));
    return tab;
  });
  function show(tab, write) {
    for (const each of tabs) each.setAttribute("aria-selected", each === tab);
    frame.replaceChildren(copyable(write({ url, needsKey: who?.required ?? false, photo, model, objects })));
  }
  show(tabs[0], CODE.curl[1]);
  return [
    element("p", { class: "small" }, text(leftOut ? "code_left_out" : "code_about", { count: leftOut })),
    element("div", {}, element("div", { class: "tabs", role: "tablist", "aria-label": text("export_code") }, tabs), frame),
  ];
}
