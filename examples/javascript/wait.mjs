// Waits for a job, prints its masks and saves the overlay: node wait.mjs ID
import { writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { send } from "./send.mjs";

const [id] = process.argv.slice(2);
const read = async () => (await send(`/v1/jobs/${id}?wait=30`)).json();
let job = await read();
while (!job.is_final) {
  await setTimeout(1000); // answers are held for up to 30 s, but not if too many clients wait
  job = await read();
}
if (!job.result) throw new Error(`${job.status}: ${job.error?.message ?? job.result_gone?.reason}`);

for (const { score, box } of job.result.maskInfos) console.log(JSON.stringify({ score, box }));
const overlay = await send(`/v1/jobs/${id}/files/overlay.jpg`);
await writeFile("overlay.jpg", Buffer.from(await overlay.arrayBuffer()));
