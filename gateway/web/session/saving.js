// Saves the objects as a job that stays, whose id opens them again, and opens such a job.

import { objectsOfJob, toRequest } from "../objects/answers.js";
import { withObjects } from "../objects/objects.js";
import { Problem } from "../service/problem.js";
import { succeeded } from "../service/service.js";

const FOLLOW_SECONDS = 30; // for which one request is held

/** Return the request of a job with all objects. */
function saveRequest(image, model, objects) {
  const hasChoice = objects.some((each) => each.chosen > 0);
  return {
    image,
    model,
    prompts: objects.map(({ prompt, label }) => ({ ...toRequest(prompt), ...(label && { name: label }) })),
    multimask: hasChoice ? "all" : "best",
    outputs: ["rle", "overlay"],
    priority: "interactive",
    ...(hasChoice && { metadata: { playground: { chosen: objects.map((each) => each.chosen) } } }),
  };
}

/** Save the present objects and return the id of the job. */
export async function save(session) {
  const request = saveRequest(session.photo.image, session.model, session.state.objects);
  const job = await session.service.run(request);
  session.set({ savedAs: job.id });
  return job.id;
}

/**
 * Open a saved job when it has ended: its photo, if the service still has it, and its objects. Of a job that did not
 * succeed, or whose result is no longer stored, only the photo is opened, and the problem says why.
 */
export async function openJob(session, opening, id) {
  const { service } = session;
  session.set({ progress: { stage: "opening" } });
  let job = await service.job(id);
  if (!job.is_final) session.set({ progress: { stage: "following" } });
  while (!job.is_final) job = await service.job(id, FOLLOW_SECONDS);
  if (session.models.some((each) => each.id === job.model)) session.set({ model: job.model });
  const reason = reasonOf(job);
  const problem = await openPhoto(session, opening, job);
  if (!reason) session.push(withObjects(session.state, objectsOfJob(job)));
  session.set({ savedAs: reason ? null : id, problem: reason ?? problem, progress: null });
}

/** Return why a job that has ended has no masks, or null. */
function reasonOf(job) {
  try {
    succeeded(job);
  } catch (problem) {
    return problem;
  }
  return job.result ? null : new Problem(410, "result_gone", "");
}

/** Open the photo of a job; without it, a grey one of the same size. Return the problem, or null. */
async function openPhoto(session, opening, job) {
  try {
    await opening.open(await session.service.file(job, "image"), job.id);
    return session.problem;
  } catch (error) {
    if (error.status !== 404 && error.status !== 410) throw error;
    if (job.image && job.result) opening.openBlank(job.image.width, job.image.height, job.id);
    return new Problem(404, "no_picture", "");
  }
}
