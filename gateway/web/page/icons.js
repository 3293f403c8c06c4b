// The pictures on buttons, drawn on a grid of 20 by 20 with lines of one width.

import { vector } from "./element.js";

const PATHS = {
  add: "M10 4v12M4 10h12",
  box: "M4.5 4.5h11v11h-11z",
  chevron: "m6 8 4 4 4-4",
  close: "m5 5 10 10M15 5 5 15",
  copy: "M7 7h9v9H7zM4 13V4h9",
  download: "M10 3v9m-4-3.5 4 4 4-4M4 16.5h12",
  everything: "M4 4h4v4H4zM12 4h4v4h-4zM4 12h4v4H4zM12 12h4v4h-4z",
  fit: "M4 8V4h4m4 0h4v4m0 4v4h-4m-4 0H4v-4",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8m0 2.6v.2",
  image: "M3 4.5h14v11H3zm0 9 4-4 3 3 2.5-2.5 4.5 4M12.5 8h.1",
  key: "M8.5 11.500a3 3 0 1 1 2-2l6 6m-2-2 1.500-1.500m-4-.5 1.200-1.200",
  language: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm-7 7h14M10 3c4.500 4 4.500 10 0 14-4.500-4-4.500-10 0-14",
  less: "M4 10h12",
  limits: "M4 6.500h7m4 0h1M4 13.500h1m4 0h7M13 4.500a2 2 0 1 0 0 4 2 2 0 0 0 0-4ZM7 11.500a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z",
  move: "M10 3v14M3 10h14M8 5l2-2 2 2M8 15l2 2 2-2M5 8l-2 2 2 2m10-4 2 2-2 2",
  negative: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM6.500 10h7",
  positive: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM6.500 10h7M10 6.500v7",
  redo: "m13 4 3.500 3.500L13 11M16 7.500H8.500a4.500 4.500 0 0 0 0 9H11",
  remove: "M4 5.500h12M8 5.500v-2h4v2M5.500 5.500l.8 11h7.400l.8-11M8.500 8.500v5m3-5v5",
  revoke: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM5 5l10 10",
  rotate: "M16 10a6 6 0 1 1-1.800-4.300L16 7.500M16 3.500v4h-4",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4Zm3.500 8.500L17 17",
  share: "M13.500 6.500 6.500 10l7 3.500M6.500 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0Zm11-4.500a2 2 0 1 1-4 0 2 2 0 0 1 4 0Zm0 9a2 2 0 1 1-4 0 2 2 0 0 1 4 0Z",
  theme: "M10 3a7 7 0 1 0 0 14V3Zm0 2.500a4.500 4.500 0 0 1 0 9",
  undo: "M7 4 3.500 7.500 7 11M4 7.500h7.500a4.500 4.500 0 0 1 0 9H9",
};

/** Return the picture with a name of PATHS. Screen readers skip it: the button has a name of its own. */
export function icon(name) {
  const path = vector("path", { d: PATHS[name] });
  return vector("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, path);
}
