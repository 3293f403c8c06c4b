// Receives signed events and prints them: OVSEG_WEBHOOK_SECRET=whsec_... node webhook.mjs 9000
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const MAX_BYTES = 4_000_000;
const SECRET = Buffer.from(process.env.OVSEG_WEBHOOK_SECRET.replace("whsec_", ""), "base64");
const seen = new Set(); // in production a table: an event may come again after a restart, too

function isGenuine(headers, body) {
  const id = headers["webhook-id"];
  const time = headers["webhook-timestamp"];
  const signatures = (headers["webhook-signature"] ?? "").split(" ");
  const isRecent = Math.abs(Date.now() / 1000 - time) < 300; // an old delivery may be a stolen one
  const hmac = createHmac("sha256", SECRET).update(`${id}.${time}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${hmac}`);
  const matches = (given) => given.length === expected.length && timingSafeEqual(given, expected);
  return isRecent && signatures.some((signature) => matches(Buffer.from(signature)));
}

async function receive(request, response) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BYTES) return response.writeHead(413).end();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) {
    const { type, data } = JSON.parse(body);
    console.log(type, data.id, data.status);
    seen.add(id);
  }
  response.writeHead(204).end(); // only now: an event without a 2xx comes again
}

const server = createServer((request, response) => {
  receive(request, response).catch(() => response.destroy());
});
server.listen(process.argv[2]);
