// Between the page's objects and the fields of the API.

import { Mask } from "../masks/mask.js";
import { EMPTY_PROMPT } from "./objects.js";

/** Return the prompt in the API's form. */
export function toRequest(prompt) {
  return {
    ...(prompt.points.length && { points: prompt.points, labels: prompt.labels }),
    ...(prompt.box && { box: prompt.box }),
    ...(prompt.base && { mask: { rle: { size: prompt.base.size, counts: prompt.base.counts } } }),
  };
}

/** Return all masks of a result, in its order. */
export function candidatesOf(result) {
  return (result.masks ?? []).map((mask, i) => {
    const coded = { counts: mask.rleResult, size: mask.size };
    return { ...coded, score: result.maskInfos[i].score, mask: Mask.of(coded) };
  });
}

/** Return for each mask of a text's result an object: its box alone as a prompt gives the same mask. */
export function objectsOfTexts(result, firstNumber) {
  return candidatesOf(result).map((candidate, i) => ({
    number: firstNumber + i,
    label: String(result.maskInfos[i].prompt),
    prompt: { ...EMPTY_PROMPT, box: result.maskInfos[i].coordinate },
    candidates: [candidate],
    chosen: 0,
  }));
}

/** Return for each mask of everything mode an object, largest first, so that small ones lie on top. */
export function objectsOfEverything(result, firstNumber) {
  const candidates = candidatesOf(result).sort((a, b) => b.mask.area - a.mask.area);
  return candidates.map((candidate, i) => ({
    number: firstNumber + i,
    label: "",
    prompt: { ...EMPTY_PROMPT, base: candidate },
    candidates: [candidate],
    chosen: 0,
  }));
}

/** Return the objects of a job that was saved or made elsewhere. */
export function objectsOfJob(job) {
  const candidates = candidatesOf(job.result);
  const prompts = Array.isArray(job.prompts) ? job.prompts : [];
  const groups = Map.groupBy(candidates.keys(), (i) => groupOf(job, i));
  return [...groups.values()].map((indices, i) => {
    const info = job.result.maskInfos[indices[0]];
    const isText = info.label === "text_prompt";
    const asked = isText ? { box: info.coordinate } : prompts[info.prompt_index] ?? {};
    const chosen = Number(job.metadata?.playground?.chosen?.[info.prompt_index] ?? 0);
    const own = indices.map((index) => candidates[index]);
    return {
      number: i + 1,
      label: String(isText ? info.prompt : info.name ?? ""),
      prompt: promptOf(asked, own[0]),
      candidates: own,
      chosen: Math.min(chosen, own.length - 1),
    };
  });
}

/** Return what the masks of one object have in common: with several masks for each prompt, the prompt. */
function groupOf(job, index) {
  const info = job.result.maskInfos[index];
  return job.multimask === "all" ? info.prompt_index : `mask ${index}`;
}

/** Return a job's prompt in the page's form. One without a box and points (everything mode) refines the mask it found. */
function promptOf({ points, labels, box, mask }, found) {
  if (!points && !box) return { ...EMPTY_PROMPT, base: found };
  const base = mask?.rle ?? null;
  return { points: points ?? [], labels: labels ?? (points ?? []).map(() => 1), box: box ?? null, base };
}
