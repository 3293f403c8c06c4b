// One job, live until it has ended.

import { element } from "../../page/element.js";
import { Events } from "../../service/events.js";
import en from "../../texts/en/job.js";
import { addTexts, text } from "../../texts/texts.js";
import zh from "../../texts/zh/job.js";
import { actions } from "../job/actions.js";
import { Deliveries } from "../job/deliveries.js";
import { documents } from "../job/documents.js";
import { facts } from "../job/facts.js";
import { History } from "../job/history.js";
import { JobPicture } from "../job/job_picture.js";
import { MaskList } from "../job/mask_list.js";
import { masksOfJob, masksOfPart } from "../job/masks.js";
import { waterfall } from "../job/waterfall.js";
import { bar } from "../jobs/columns.js";
import { failure } from "../parts/failure.js";
import { renew } from "../parts/renew.js";
import { state } from "../parts/state.js";

addTexts({ en, zh });

export const view = {
  path: /^\/console\/jobs\/(?<id>[^/]+)$/,
  title: "job",
  needs: "jobs:read",
  show(place, context) {
    const page = new JobPage(place, context);
    return () => page.close();
  },
};

class JobPage {
  #place;
  #context;
  #job = null;
  #stage = ""; // what the running attempt does
  #events;
  #picture;
  #masks = new MaskList((shown) => this.#picture.showMasks(shown));
  #history = new History();
  #deliveries;
  #parts = {}; // elements whose content depends on the job

  constructor(place, context) {
    this.#place = place;
    this.#context = context;
    const { service, session, parameters: { id } } = context;
    this.#picture = new JobPicture(service, (number) => this.#masks.point(number));
    this.#deliveries = session.may("webhooks") ? new Deliveries(context, id) : null;
    place.append(element("p", { class: "state", "aria-busy": "true" }, element("i", { class: "skeleton" })));
    this.#follow();
  }

  #follow() {
    const { service, parameters: { id } } = this.#context;
    this.#events?.close();
    this.#events = new Events(service, `/v1/jobs/${encodeURIComponent(id)}/events`, {
      event: (event) => this.#take(event),
      failed: (problem) => this.#fail(problem),
    });
  }

  close() {
    this.#events.close();
    this.#picture.close();
    this.#deliveries?.close();
  }

  #take({ type, timestamp, data }) {
    if (type === "job.deleted") return this.#showGone("job_deleted");
    if (type === "job.partial") return this.#addPart(data);
    if (type === "job.stage") this.#stage = data.stage;
    else if (type === "job.progress") this.#job.progress = { done: data.done, total: data.total };
    else if (type === "job.position") this.#job.queue = data.queue;
    else if (!data.status) return undefined; // a gap, or a job that is gone: another event follows
    else this.#takeJob(type, timestamp, data);
    return this.#show();
  }

  #takeJob(type, timestamp, job) {
    const before = this.#job;
    this.#job = job;
    if (before === null) this.#build();
    if (type === "job.queued" && job.attempt > 0) this.#history.noteRequeued(timestamp, job.attempt);
    if (before?.attempt !== job.attempt || job.is_final) this.#stage = "";
    this.#history.note(job);
    this.#picture.showJob(job);
    if (before === null || before.attempt !== job.attempt || job.is_final) this.#masks.put(masksOf(job), emptyOf(job));
    if (before === null || job.is_final) this.#deliveries?.watch();
  }

  #addPart(part) {
    if (part.masks) this.#masks.add(masksOfPart(part, this.#masks.length + 1));
  }

  /** Make the page's elements, when the job is known. */
  #build() {
    const { id } = this.#job;
    const part = (name, tag, properties = {}) => (this.#parts[name] = element(tag, properties));
    const title = element("h1", {}, element("span", { class: "hidden" }, text("view_job"), " "), element("span", { class: "id" }, id));
    const back = element("a", { href: "/console", class: "back" }, text("job_back"));
    const section = (name, ...content) => element("section", {}, element("h2", {}, text(name)), content);
    this.#place.replaceChildren(
      element("header", { class: "heading" }, back, title, part("status", "div", { class: "now", role: "status" }), part("actions", "div", { class: "actions" })),
      part("error", "div", { class: "error", hidden: true }),
      element("div", { class: "job-grid" }, this.#picture.element, this.#masks.element),
      element("div", { class: "job-columns" }, section("job_times", part("times", "div"), this.#history.element), section("job_facts", part("facts", "div"))),
      this.#deliveries?.element ?? "",
      part("documents", "div"),
    );
  }

  #show() {
    const job = this.#job;
    const { status, actions: buttons, error, times, facts: known, documents: papers } = this.#parts;
    const doing = !job.is_final && this.#stage ? element("small", {}, text(`now_${this.#stage}`)) : "";
    const progress = job.status === "running" && job.progress ? bar(job.progress) : "";
    renew(status, state(job.status), doing, progress);
    renew(buttons, actions(job, this.#context));
    const wrong = job.error ?? (job.result_gone && { code: "", message: text(`job_${job.result_gone.reason}`) });
    error.hidden = !wrong;
    if (wrong) renew(error, wrong.code ? element("code", {}, wrong.code) : "", element("p", {}, wrong.message));
    renew(times, waterfall(job) ?? element("p", { class: "none" }, text("job_not_begun")));
    renew(known, facts(job));
    if (!papers.firstChild || job.is_final) papers.replaceChildren(documents(job, this.#context.service));
  }

  #fail(problem) {
    if (problem.status === 404) this.#showGone("job_unknown");
    else if (this.#job === null) this.#place.replaceChildren(failure(problem, () => this.#follow()));
  }

  #showGone(reason) {
    this.close();
    const back = element("a", { href: "/console" }, text("job_back"));
    this.#place.replaceChildren(element("div", { class: "state" }, element("h1", {}, text(reason)), element("p", {}, back)));
  }
}

function masksOf(job) {
  return job.result?.masks ? masksOfJob(job) : [];
}

function emptyOf(job) {
  if (!job.is_final) return text("job_masks_later");
  if (job.status !== "succeeded") return text("job_masks_none");
  return text(job.result && !job.result.masks ? "job_masks_in_files" : "job_masks_none");
}
