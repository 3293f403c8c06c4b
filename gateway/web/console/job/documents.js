// What a job was sent and what it answers, as JSON and as code, and its files. Each is made when a person opens it.

import { curl, inCode, python } from "../../exports/code.js";
import { objectsOfJob } from "../../objects/answers.js";
import { copyable } from "../../page/dialog.js";
import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";
import { bytes } from "../parts/figures.js";

const REQUEST = [
  "model", "detector", "detection", "device", "priority", "prompts", "multimask", "on_invalid_prompt", "outputs", "polygons",
  "ephemeral", "metadata", "webhook", "deadline", "image",
];
const MAX_SHOWN = 200_000; // characters of JSON; a browser is slow with much more, and the file has all
const MAX_FILES = 12; // whose sizes are asked for; a job may have a thousand masks

/** Return the documents of a job, each closed. */
export function documents(job, service) {
  const request = Object.fromEntries(REQUEST.filter((name) => job[name] !== null).map((name) => [name, job[name]]));
  const objects = job.result ? inCode(objectsOfJob(job)) : [];
  return element(
    "section",
    { class: "documents" },
    folded(text("job_request"), () => copyable(JSON.stringify(request, null, 2))),
    job.result ? folded(text("job_result"), () => copyable(cut(JSON.stringify(job.result, null, 2)))) : null,
    objects.length ? folded(text("job_code"), () => codes(job, objects)) : null,
    job.files.result ? folded(text("job_files"), () => fileList(job, service)) : null,
  );
}

function folded(title, make) {
  const body = element("div");
  const details = element("details", {}, element("summary", {}, title), body);
  details.addEventListener("toggle", () => details.open && body.childElementCount === 0 && body.append(make()));
  return details;
}

function cut(json) {
  return json.length > MAX_SHOWN ? `${json.slice(0, MAX_SHOWN)}\n… ${text("job_result_cut")}` : json;
}

function codes(job, objects) {
  const given = { url: `${location.origin}/`, key: null, photo: { name: "photo.jpg" }, model: job.model, objects };
  return element("div", { class: "stack" }, copyable(curl(given)), copyable(python(given)));
}

function fileList(job, service) {
  const names = ["result.json", ...Object.values(job.files).flat().map(({ key }) => nameOf(key))];
  const unique = [...new Set(names), ...(job.image.key ? ["image"] : [])];
  const items = unique.map((name, i) => fileItem(`${job.urls.files}/${name}`, name, i < MAX_FILES && service));
  return element("ul", { class: "files" }, items);
}

/** Return the name of a file in the API, from its key in the bucket. */
function nameOf(key) {
  return key.split("/").slice(key.includes("/masks/") ? -2 : -1).join("/");
}

function fileItem(path, name, service) {
  const size = element("small");
  const link = element("a", { href: path, download: name.replace("/", "-") }, name);
  if (service) {
    const show = (response) => (size.textContent = bytes(Number(response.headers.get("Content-Length"))));
    service.send("HEAD", path).then(show, () => (size.textContent = text("job_file_gone")));
  }
  return element("li", {}, link, " ", size);
}
