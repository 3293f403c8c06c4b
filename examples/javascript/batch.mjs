// Submits the jobs of a manifest, waits for them and saves the results:
// node batch.mjs cars manifest.ndjson results.ndjson
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import { send } from "./send.mjs";

const [id, manifest, results] = process.argv.slice(2);
const path = `/v1/batches/${id}`;
const headers = { "Content-Type": "application/x-ndjson" };
const submitted = await send(path, { method: "PUT", headers, body: await readFile(manifest) });
let batch = await submitted.json();
for (const { line, message } of batch.manifest.errors) console.error(`line ${line}: ${message}`);

while (!batch.is_final) {
  console.error(`${batch.progress.done} of ${batch.progress.total}`);
  await setTimeout(1000); // answers are held for up to 30 s, but not if too many clients wait
  batch = await (await send(`${path}?wait=30`)).json();
}
await pipeline((await send(`${path}/results`)).body, createWriteStream(results));
console.log(JSON.stringify(batch.counts));
