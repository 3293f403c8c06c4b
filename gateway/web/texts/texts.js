// The texts of the pages in the language of the reader. A new language is a folder like `en` and an entry in LANGUAGES.

import en from "./en/page.js";
import zh from "./zh/page.js";

const LANGUAGES = { en: { ...en }, zh: { ...zh } };
const STORED = "ovseg.language";

const formats = new Map(); // a new one takes a tenth of a millisecond

const wanted = [localStorage.getItem(STORED), ...navigator.languages.map((tag) => tag.slice(0, 2)), "en"];
let language = wanted.find((tag) => tag in LANGUAGES);

/** Add the texts of one page or part, by language: `{ en, zh }`. */
export function addTexts(texts) {
  for (const tag of Object.keys(LANGUAGES)) Object.assign(LANGUAGES[tag], texts[tag]);
}

/** Return the text with a name. `{word}` in it becomes `values.word`. */
export function text(name, values = {}) {
  const found = LANGUAGES[language][name] ?? LANGUAGES.en[name] ?? name;
  return found.replace(/\{(\w+)\}/g, (whole, word) => values[word] ?? whole);
}

/** Return true if there is a text with this name. */
export function hasText(name) {
  return name in LANGUAGES.en;
}

export function currentLanguage() {
  return language;
}

/** Choose the next language, remember it, and write the texts of the page again. */
export function nextLanguage() {
  const tags = Object.keys(LANGUAGES);
  language = tags[(tags.indexOf(language) + 1) % tags.length];
  localStorage.setItem(STORED, language);
  writeTexts(document);
}

/** Return a number as people write it. */
export function number(value, digits = 0) {
  const key = `${language} ${digits}`;
  if (!formats.has(key)) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(key, new Intl.NumberFormat(language, options));
  }
  return formats.get(key).format(value);
}

/** Write the texts into the elements that name them: `data-text` for the content, `data-label` for name and tooltip. */
export function writeTexts(root) {
  document.documentElement.lang = language === "zh" ? "zh-CN" : language;
  for (const each of root.querySelectorAll("[data-text]")) each.textContent = text(each.dataset.text);
  for (const each of root.querySelectorAll("[data-hint]")) each.placeholder = text(each.dataset.hint);
  for (const each of root.querySelectorAll("[data-label]")) {
    each.setAttribute("aria-label", text(each.dataset.label));
    each.title = each.dataset.key ? `${text(each.dataset.label)} (${each.dataset.key})` : text(each.dataset.label);
  }
}
