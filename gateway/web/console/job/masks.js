// The masks of a job, each as an object of the stage.

import { candidatesOf, objectsOfJob } from "../../objects/answers.js";
import { EMPTY_PROMPT, chosenOf } from "../../objects/objects.js";

/** Return an object for each mask of a result. `isShown` is false for those that the best one of the same prompt hides. */
export function masksOfJob(job) {
  const objects = objectsOfJob(job).flatMap((object) =>
    object.candidates.map((candidate, i) => ({ ...object, candidates: [candidate], chosen: 0, isShown: i === object.chosen })),
  );
  return objects.map((object, i) => ({ ...object, number: i + 1 }));
}

/** Return objects for the masks that everything mode has found so far, numbered from `first`. */
export function masksOfPart(part, first) {
  return candidatesOf(part).map((candidate, i) => ({
    number: first + i,
    label: "",
    prompt: EMPTY_PROMPT,
    candidates: [candidate],
    chosen: 0,
    isShown: true,
  }));
}

/** Return the state of the stage: the masks that are shown, small ones on top, and the one that is pointed at. */
export function stateOf(masks, selected) {
  const shown = masks.filter((each) => each.isShown || each.number === selected);
  return { objects: shown.sort((a, b) => chosenOf(b).mask.area - chosenOf(a).mask.area), selected };
}
