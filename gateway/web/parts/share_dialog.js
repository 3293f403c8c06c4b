// Saves the objects as a job, and shows the link that opens it.

import { copyable, showDialog } from "../page/dialog.js";
import { element } from "../page/element.js";
import { save } from "../session/saving.js";
import { text } from "../texts/texts.js";

export function showShare(session) {
  const button = element("button", { type: "button", class: "wide strong" }, text("share_save"));
  const result = element("div", { role: "status" });
  const dialog = showDialog(text("share"), element("p", {}, text("share_about")), button, result);
  button.addEventListener("click", async () => {
    button.disabled = true;
    result.textContent = text("share_saving");
    try {
      showLink(await save(session));
    } catch (error) {
      dialog.close();
      session.failed(error);
    }
  });
  if (session.savedAs) showLink(session.savedAs);

  function showLink(id) {
    const url = new URL(location.href);
    url.search = new URLSearchParams({ job: id });
    history.replaceState(null, "", url);
    button.hidden = true;
    result.replaceChildren(element("p", { class: "small" }, text("share_link")), copyable(url.href));
  }
}
