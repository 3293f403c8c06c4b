// What can be done with one job.

import { element } from "../../page/element.js";
import { deleteJob, retryJob } from "../../service/jobs.js";
import { text } from "../../texts/texts.js";
import { addressOf } from "../jobs/columns.js";
import { confirm } from "../parts/dialogs.js";
import { sentence } from "../parts/failure.js";

/** Return the buttons for a job in its present state; a session that may only read has the link to the playground alone. */
export function actions(job, { service, session, navigate, announce }) {
  const button = (name, act) => element("button", { type: "button", class: "wide", onclick: act }, text(name));
  const asking = (name, about, run) =>
    button(name, () => confirm({ title: text(name), action: text(name), about: text(about), run }));
  const isShown = job.result?.masks && !job.ephemeral;
  const open = isShown ? element("a", { class: "wide", href: `/?job=${encodeURIComponent(job.id)}` }, text("job_open")) : null;
  if (!session.may("jobs:write")) return [open];
  const again = button("jobs_retry", async () => {
    try {
      navigate(addressOf(await retryJob(service, job.id)));
      announce(text("job_retried"));
    } catch (problem) {
      announce(sentence(problem));
    }
  });
  const cancel = asking("job_cancel", "job_confirm_cancel", () => service.cancel(job.id));
  const remove = asking("jobs_delete", "job_confirm_delete", async () => {
    await deleteJob(service, job.id);
    navigate("/console");
  });
  cancel.disabled = job.cancel_requested_at !== null;
  return [open, job.is_final ? again : cancel, job.status === "running" ? null : remove];
}
