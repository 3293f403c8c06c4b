// The same prompts as code to paste.

import { toRequest } from "../objects/answers.js";

/** Return the objects that code can name: those with points or a box. A mask as a prompt is too long to paste. */
export function inCode(objects) {
  return objects.filter(({ prompt }) => prompt.points.length > 0 || prompt.box);
}

/** Return a command for a shell. */
export function curl({ url, needsKey, photo, model, objects }) {
  const request = JSON.stringify({ model, prompts: promptsOf(objects), outputs: ["rle", "overlay"] });
  return [
    `curl -s ${quoted(`${url}v1/jobs?wait=60`)} \\`,
    ...(needsKey ? [`  -H "Authorization: Bearer $OVSEG_API_KEY" \\`] : []),
    `  -F ${quoted(`image=@${photo.name}`)} \\`,
    `  -F ${quoted(`request=${request}`)}`,
  ].join("\n");
}

/** Return a program with the Python client. */
export function python({ url, photo, model, objects }) {
  return [
    "from ovseg_client import Client  # the folder clients/python of ovseg",
    "",
    `client = Client(${literal(url)})  # an API key comes from OVSEG_API_KEY`,
    `result = client.segment(${literal(photo.name)}, model=${literal(model)}, prompts=${listed(promptsOf(objects))})`,
    "for mask in result.masks:",
    "    print(mask.score, mask.box, mask.array.sum())",
  ].join("\n");
}

/** Return a program in PaddleX's words, with boxes or single points if these are enough. `mixed` is an addition of ovseg. */
export function paddlex({ photo, model, objects }) {
  const prompts = objects.map(({ prompt }) => prompt);
  const isBoxes = prompts.every(({ points, box }) => box && points.length === 0);
  const isPoints = prompts.every(({ points, labels, box }) => !box && points.length === 1 && labels[0] === 1);
  const [type, prompt] = isBoxes
    ? ["box", prompts.map(({ box }) => box)]
    : isPoints
      ? ["point", prompts.map(({ points }) => points[0])]
      : ["mixed", promptsOf(objects)];
  return [
    "from ovseg_core import create_pipeline  # in place of `from paddlex import create_pipeline`",
    "",
    `pipeline = create_pipeline(pipeline="open_vocabulary_segmentation", model=${literal(model)})`,
    `for result in pipeline.predict(${literal(photo.name)}, prompt_type="${type}", prompt=${listed(prompt)}):`,
    '    result.save_to_img("./output/")',
    '    result.save_to_json("./output/")',
  ].join("\n");
}

function promptsOf(objects) {
  return objects.map(({ prompt }) => toRequest({ ...prompt, base: null }));
}

/** Return a list in Python, each of its items on a line. */
function listed(items) {
  return `[\n${items.map((item) => `    ${literal(item)},`).join("\n")}\n]`;
}

/** Return a literal in Python of texts, numbers, lists and objects. */
function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, part]) => `"${name}": ${literal(part)}`).join(", ")}}`;
}

function quoted(word) {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
