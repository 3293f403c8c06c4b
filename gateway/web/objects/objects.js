// The objects of a photo. A state is `{objects, selected}`; each function here returns a new one.
//
// An object is `{number, label, prompt, candidates, chosen}`:
// - `number` is unique, from 1, and decides the colour.
// - `prompt` has `points`, `labels` (1 on the object, 0 beside it), `box` or null, and `base`: null, or a candidate that
//   the prompt refines.
// - `candidates` are the masks to choose from, the best first, each `{counts, size, score, mask}`.
// - `chosen` is the index of the candidate that is shown.

export const NOTHING = { objects: [], selected: null };
export const EMPTY_PROMPT = { points: [], labels: [], box: null, base: null };

/** Return the selected object, or null. */
export function selectedOf(state) {
  return state.objects.find((each) => each.number === state.selected) ?? null;
}

/** Return the mask of an object that is shown. */
export function chosenOf(object) {
  return object.candidates[object.chosen];
}

/** Return a number that no object of these states has. */
export function nextNumber(state) {
  return Math.max(0, ...state.objects.map((each) => each.number)) + 1;
}

/** Add an object or, if there is one with its number, put it in that one's place; select it. */
export function withObject(state, object) {
  const isKnown = state.objects.some((each) => each.number === object.number);
  const objects = isKnown
    ? state.objects.map((each) => (each.number === object.number ? object : each))
    : [...state.objects, object];
  return { objects, selected: object.number };
}

export function withObjects(state, added) {
  return { objects: [...state.objects, ...added], selected: null };
}

export function withoutObject(state, number) {
  return { objects: state.objects.filter((each) => each.number !== number), selected: null };
}

export function withSelected(state, number) {
  return { ...state, selected: number };
}

/** Return an object with some of its fields changed, in its state. */
export function changed(state, number, fields) {
  return {
    ...state,
    objects: state.objects.map((each) => (each.number === number ? { ...each, ...fields } : each)),
  };
}

/**
 * Return the prompt with one more point. If the object's mask is not what its prompt alone would give (another candidate
 * was chosen, or everything mode found it), the new prompt refines that mask.
 */
export function withPoint(object, point, label) {
  const { prompt } = object;
  const base = object.chosen === 0 ? prompt.base : chosenOf(object);
  return { ...prompt, base, points: [...prompt.points, point], labels: [...prompt.labels, label] };
}

/** Return the smallest object with a pixel at a point of the image, or null: a large one may lie under it. */
export function objectAt(state, [x, y]) {
  const hit = state.objects.filter((each) => chosenOf(each).mask.has(Math.floor(x), Math.floor(y)));
  return hit.sort((a, b) => chosenOf(a).mask.area - chosenOf(b).mask.area)[0] ?? null;
}
