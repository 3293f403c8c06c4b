// Saves the objects as a job that stays, whose id opens them again, and opens such a job.

import { objectsOfJob, toRequest } from "../objects/answers.js";
import { withObjects } from "../objects/objects.js";
import { Problem } from "../service/problem.js";

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

/** Open a saved job: its photo, if the service still has it, and its objects. */
export async function openJob(session, opening, id) {
  session.set({ progress: { stage: "opening" } });
  const job = await session.service.ended(await session.service.job(id));
  if (!job.result) throw new Problem(410, "result_gone", "");
  if (session.models.some((each) => each.id === job.model)) session.set({ model: job.model });
  let problem = null;
  try {
    await opening.open(await session.service.file(job, "image"), id);
  } catch (error) {
    if (error.status !== 404 && error.status !== 410) throw error;
    opening.openBlank(job.image.width, job.image.height, id);
    problem = new Problem(404, "no_picture", "");
  }
  session.push(withObjects(session.state, objectsOfJob(job)));
  session.set({ savedAs: id, problem });
}
