// All jobs of the tenant, live.

import { text } from "../../texts/texts.js";
import { element } from "../../page/element.js";
import { conditionsOf } from "../jobs/conditions.js";
import { Filters } from "../jobs/filters.js";
import { JobTable } from "../jobs/job_table.js";
import { heading } from "../parts/heading.js";

export const view = {
  path: /^\/console$/,
  title: "jobs",
  needs: "jobs:read",
  show(place, context) {
    const conditions = conditionsOf(location.search);
    const table = new JobTable(context, conditions);
    const filters = new Filters(conditions, (chosen) => {
      history.replaceState(null, "", `/console${chosen.size ? `?${chosen}` : ""}`);
      table.filter(chosen);
    });
    place.append(heading(text("view_jobs")), filters.element, table.element);
    const offerModels = (models) => filters.models.append(...models.map(({ id }) => element("option", { value: id })));
    context.service.models().then(offerModels, () => {}); // without the list a name can be typed
    return () => {
      filters.close();
      table.close();
    };
  },
};
