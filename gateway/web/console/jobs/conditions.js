// The conditions of a list of jobs. They are parameters of `GET /v1/jobs`, and the same ones are in the page's address.

const METADATA = "metadata.";
const PLAIN = ["status", "model", "device", "priority", "name", "batch", "accepted_after", "accepted_before"];

/** Return those parameters of an address that are conditions, with a value. */
export function conditionsOf(search) {
  const given = [...new URLSearchParams(search)];
  return new URLSearchParams(given.filter(([name, value]) => value && (PLAIN.includes(name) || keyOf(name))));
}

/** Return the key of metadata that a condition is about, or null. */
export function keyOf(name) {
  return name.startsWith(METADATA) ? name.slice(METADATA.length) || null : null;
}

/** Return the name of the condition for a key of metadata. */
export function ofMetadata(key) {
  return METADATA + key;
}

/** Return true if a job object meets all conditions, as the service decides it. */
export function meets(job, conditions) {
  return [...conditions].every(([name, value]) => meetsOne(job, name, value));
}

function meetsOne(job, name, value) {
  const key = keyOf(name);
  if (key !== null) return Object.hasOwn(job.metadata, key) && written(job.metadata[key]) === value;
  if (name === "name") return Array.isArray(job.prompts) && job.prompts.some((prompt) => prompt.name === value);
  if (name === "batch") return job.batch?.id === value;
  if (name === "accepted_after") return new Date(job.accepted_at) >= new Date(value);
  if (name === "accepted_before") return new Date(job.accepted_at) < new Date(value);
  return job[name] === value;
}

function written(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
