// What the own tenant has used, and, for an admin, what every tenant has used.

import { element } from "../../page/element.js";
import { ownUsage, usageOfTenants } from "../../service/usage.js";
import en from "../../texts/en/usage.js";
import { addTexts, currentLanguage, number, text } from "../../texts/texts.js";
import zh from "../../texts/zh/usage.js";
import { failure } from "../parts/failure.js";
import { barred, bytes, duration, figures } from "../parts/figures.js";
import { heading } from "../parts/heading.js";
import { Table } from "../parts/table.js";

addTexts({ en, zh });

const PERIODS = [7, 30, 90]; // days; the service keeps 90
const DAY_MS = 86_400_000;

export const view = {
  path: /^\/console\/usage$/,
  title: "usage",
  needs: "jobs:read",
  show(place, { service, session }) {
    const options = PERIODS.map((days) => element("option", { value: days, selected: days === 30 }, text("usage_days", { days })));
    const period = element("select", { "aria-label": text("usage_period"), onchange: () => read() }, options);
    const own = element("section", { class: "stack" });
    const all = element("section", { class: "stack" });
    place.append(heading(text("view_usage"), period), own, all);
    let opened = { close() {} };

    function read() {
      opened.close();
      opened = new Usage({ service, session, since: dayBefore(Number(period.value) - 1), own, all });
    }
    read();
    return () => opened.close();
  },
};

/** The usage since a day. It fills the elements `own` and `all`. */
class Usage {
  #given;
  #tables = [];
  #reading = new AbortController();

  constructor(given) {
    this.#given = given;
    this.#readOwn();
    if (given.session.may("admin")) this.#showTenants();
    given.service.addEventListener("reached", this.#tryAgain);
  }

  close() {
    this.#reading.abort();
    this.#given.service.removeEventListener("reached", this.#tryAgain);
    for (const table of this.#tables) table.close();
  }

  #tryAgain = () => this.#given.own.querySelector(".state[role=alert]") && this.#readOwn();

  async #readOwn() {
    const { service, since, own } = this.#given;
    const { signal } = this.#reading;
    own.setAttribute("aria-busy", "true");
    try {
      const usage = await ownUsage(service, since, signal);
      if (!signal.aborted) this.#showOwn(usage);
    } catch (error) {
      if (!signal.aborted) own.replaceChildren(failure(error, () => this.#readOwn()));
    }
    if (!signal.aborted) own.removeAttribute("aria-busy");
  }

  #showOwn(usage) {
    const { limits, total } = usage;
    const now = [
      [text("usage_succeeded"), number(total.succeeded), text("usage_of_jobs", { count: number(total.accepted) })],
      [text("usage_prompts"), number(total.prompts), limitOf("usage_per_minute", limits.prompts_per_minute, number)],
      [text("usage_encodes"), number(total.encodes)],
      [text("usage_network"), duration(total.network_ms)],
      [text("usage_queued"), number(usage.queued_jobs), limitOf("usage_at_most", limits.max_queued_jobs, number)],
      [text("usage_running"), number(usage.running_jobs)],
      [text("usage_stored"), bytes(usage.stored_bytes), limitOf("usage_at_most", limits.max_stored_bytes, bytes)],
    ];
    const highest = Math.max(...usage.days.map((day) => day.accepted));
    const columns = [{ title: text("usage_day"), cell: (day) => written(day.day) }, ...countColumns((day) => day, () => highest)];
    const load = async () => ({ items: usage.days.toReversed(), next: null });
    const days = this.#table({ label: text("usage_by_day"), columns, key: (day) => day.day, load });
    this.#given.own.replaceChildren(element("h2", {}, usage.tenant), figures(now), days);
  }

  #showTenants() {
    let highest = 0;
    const load = async (cursor, signal) => {
      const page = await usageOfTenants(this.#given.service, this.#given.since, cursor, signal);
      highest = Math.max(highest, ...page.tenants.map((each) => each.total.accepted));
      return { items: page.tenants, next: page.next_cursor };
    };
    const columns = [
      { title: text("usage_tenant"), cell: (each) => element("b", {}, each.tenant), kind: "wrap" },
      ...countColumns((each) => each.total, () => highest),
      { title: text("usage_stored"), cell: (each) => bytes(each.stored_bytes), kind: "number" },
    ];
    const table = this.#table({ label: text("usage_of_tenants"), columns, key: (each) => each.tenant, load });
    this.#given.all.replaceChildren(element("h2", {}, text("usage_of_tenants")), table);
  }

  #table(given) {
    const table = new Table({ ...given, empty: text("usage_empty"), service: this.#given.service });
    this.#tables.push(table);
    return table.element;
  }
}

function countColumns(counts, highest) {
  const plain = ["succeeded", "failed", "prompts", "encodes"].map((name) => ({
    title: text(`usage_${name}`),
    cell: (item) => number(counts(item)[name]),
    kind: "number",
  }));
  return [
    { title: text("usage_accepted"), cell: (item) => barred(counts(item).accepted, highest()), kind: "number" },
    ...plain,
    { title: text("usage_network"), cell: (item) => duration(counts(item).network_ms), kind: "number" },
  ];
}

/** Return the note about a limit, or null if there is none. */
function limitOf(name, limit, write) {
  return limit === null ? null : text(name, { count: write(limit) });
}

/** Return the day in UTC that is this number of days before today, as the API writes it. */
function dayBefore(days) {
  return new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
}

/** Return a day of the API as people write it. */
function written(day) {
  const options = { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" };
  return new Date(day).toLocaleDateString(currentLanguage(), options);
}
