// The texts of the page in the language of the reader. A new language is a file like en.js and an entry in LANGUAGES.

import en from "./en.js";
import zh from "./zh.js";

export const LANGUAGES = { en: { name: "English", texts: en }, zh: { name: "中文", texts: zh } };
const STORED = "ovseg.language";

const formats = new Map(); // a new one takes a tenth of a millisecond

const wanted = [localStorage.getItem(STORED), ...navigator.languages.map((tag) => tag.slice(0, 2)), "en"];
let language = wanted.find((tag) => tag in LANGUAGES);

/** Return the text with a name. `{word}` in it becomes `values.word`. */
export function text(name, values = {}) {
  const found = LANGUAGES[language].texts[name] ?? en[name] ?? name;
  return found.replace(/\{(\w+)\}/g, (whole, word) => values[word] ?? whole);
}

/** Return true if there is a text with this name. */
export function hasText(name) {
  return name in en;
}

export function currentLanguage() {
  return language;
}

export function chooseLanguage(tag) {
  language = tag;
  localStorage.setItem(STORED, tag);
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
