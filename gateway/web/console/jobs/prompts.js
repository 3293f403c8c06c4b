// What a job was asked for, in a few words.

import { number, text } from "../../texts/texts.js";

const MAX_TEXT = 80; // characters of phrases

/** Return a short text about the prompts of a job. */
export function promptsInWords({ prompts }) {
  if (!Array.isArray(prompts)) return "everything" in prompts ? text("prompts_everything") : brief(`“${prompts.detect}”`);
  if (prompts.length === 0) return text("prompts_none");
  const phrases = prompts.flatMap((prompt) => prompt.text ?? []);
  const parts = phrases.length ? [brief(phrases.map((each) => `“${each}”`).join(", "))] : [];
  const others = Object.groupBy(prompts.filter((prompt) => !prompt.text), kindOf);
  for (const [kind, list] of Object.entries(others)) parts.push(counted(kind, list.length));
  return parts.join(", ");
}

function kindOf({ box, points }) {
  if (box) return "box";
  return points ? "point" : "mask";
}

function counted(kind, count) {
  return text(count === 1 ? `prompts_one_${kind}` : `prompts_${kind}`, { count: number(count) });
}

function brief(words) {
  return words.length > MAX_TEXT ? `${words.slice(0, MAX_TEXT)}…` : words;
}
