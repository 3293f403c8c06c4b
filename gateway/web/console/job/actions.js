// What can be done with one job.

import { element } from "../../page/element.js";
import { deleteJobs, retryJob } from "../../service/jobs.js";
import { text } from "../../texts/texts.js";
import { addressOf } from "../jobs/columns.js";
import { confirmed } from "../parts/confirm.js";
import { sentence } from "../parts/failure.js";

/** Return the buttons for a job in its present state; a session that may only read has the link to the playground alone. */
export function actions(job, { service, session, navigate, announce }) {
  const button = (name, act) => element("button", { type: "button", class: "wide", onclick: () => attempt(act) }, text(name));
  const attempt = (act) => act().catch((problem) => announce(sentence(problem)));
  const isShown = job.result?.masks && !job.ephemeral;
  const open = isShown ? element("a", { class: "wide", href: `/?job=${encodeURIComponent(job.id)}` }, text("job_open")) : null;
  if (!session.may("jobs:write")) return [open];
  const again = button("jobs_retry", async () => {
    navigate(addressOf(await retryJob(service, job.id)));
    announce(text("job_retried"));
  });
  const cancel = button("job_cancel", async () => {
    if (await confirmed(text("job_cancel"), text("job_confirm_cancel"))) await service.cancel(job.id);
  });
  const remove = button("jobs_delete", async () => {
    if (!(await confirmed(text("jobs_delete"), text("job_confirm_delete")))) return;
    const { results: [{ problem }] } = await deleteJobs(service, [job.id]);
    if (problem) announce(problem.detail);
    else navigate("/console");
  });
  cancel.disabled = job.cancel_requested_at !== null;
  return [open, job.is_final ? again : cancel, job.status === "running" ? null : remove];
}
