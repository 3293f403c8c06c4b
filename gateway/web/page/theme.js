// Light or dark: as the system, or as a person chose.

const STORED = "ovseg.theme";

/** Apply what was chosen before. Without a choice the page follows the system. */
export function applyTheme() {
  const chosen = localStorage.getItem(STORED);
  if (chosen) document.documentElement.dataset.theme = chosen;
}

/** Choose the other one. */
export function nextTheme() {
  const isDark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem(STORED, isDark ? "light" : "dark");
  applyTheme();
  dispatchEvent(new Event("resize")); // the stage has the colour of the page
}
