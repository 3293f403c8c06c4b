// The facts about a job that are neither times nor masks.

import { element } from "../../page/element.js";
import { number, text } from "../../texts/texts.js";
import { promptsInWords } from "../jobs/prompts.js";
import { duration } from "../parts/figures.js";

/** Return a list of names and values; what the job does not have is left out. */
export function facts(job) {
  const { image, queue } = job;
  const batch = job.batch && element("a", { href: `/console/batches/${encodeURIComponent(job.batch.id)}` }, job.batch.id);
  const rows = [
    ["model", [job.model, job.detector].filter(Boolean).join(" + ")],
    ["prompts", promptsInWords(job)],
    ["queue", queue && text("job_ahead", { count: number(queue.ahead) })],
    ["eta", queue?.eta_s != null && duration(1000 * queue.eta_s)],
    ["engine", [job.engine, job.precision].filter(Boolean).join(", ")],
    ["embedding", job.embedding_cache && text(`embedding_${job.embedding_cache}`)],
    ["device", job.device],
    ["priority", job.priority],
    ["worker", job.worker],
    ["attempt", job.attempt > 1 && number(job.attempt)],
    ["image", image.width && `${number(image.width)} × ${number(image.height)} ${image.format ?? ""}`],
    ["url", image.url],
    ["batch", batch],
    ["item", job.batch?.item],
  ];
  const given = rows.filter(([, value]) => value);
  const metadata = Object.entries(job.metadata).map(([key, value]) => [element("code", {}, key), written(value)]);
  const all = [...given.map(([name, value]) => [text(`fact_${name}`), value]), ...metadata];
  return element("dl", { class: "job-facts" }, all.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function written(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
