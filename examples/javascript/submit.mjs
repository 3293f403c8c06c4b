// Submits a photo with a box, and prints the id of the job:
// node submit.mjs photo.jpg 140,10,305,180
import { randomUUID } from "node:crypto";
import { openAsBlob } from "node:fs";
import { send } from "./send.mjs";

const [photo, box] = process.argv.slice(2);
const form = new FormData();
form.set("image", await openAsBlob(photo));
form.set("request", JSON.stringify({ prompts: [{ box: box.split(",").map(Number) }] }));

const headers = { "Idempotency-Key": randomUUID() }; // one for all tries: the job is accepted once
const answer = await send("/v1/jobs", { method: "POST", headers, body: form });
const job = await answer.json();
console.log(job.id);
