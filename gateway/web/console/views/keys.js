// API keys: list, create, change limits, rotate, revoke.

import { element } from "../../page/element.js";
import { icon } from "../../page/icons.js";
import { listKeys, revokeKey, rotateKey } from "../../service/keys.js";
import en from "../../texts/en/keys.js";
import { addTexts, number, text } from "../../texts/texts.js";
import zh from "../../texts/zh/keys.js";
import { confirm, showForm, showSecret } from "../parts/dialogs.js";
import { heading } from "../parts/heading.js";
import { Table } from "../parts/table.js";
import { ago, exactly } from "../parts/time.js";
import { askForKey, askForLimits } from "./key_forms.js";

addTexts({ en, zh });

export const view = {
  path: /^\/console\/keys$/,
  title: "keys",
  needs: "admin",
  onlyWithKeys: true, // the API has no keys while none are required
  show(place, context) {
    const table = new Table({
      label: text("view_keys"),
      columns: columns(context, (key) => table.put(key)),
      key: (key) => key.id,
      time: (key) => key.created_at,
      load: async (cursor, signal) => {
        const page = await listKeys(context.service, cursor, signal);
        return { items: page.keys, next: page.next_cursor };
      },
      empty: text("keys_empty"),
      service: context.service,
    });
    const create = () => askForKey(context.service, (made) => {
      table.put(made);
      showSecret({ title: text("key_made"), about: text("key_made_about", { name: nameOf(made) }), secret: made.key });
    });
    const button = element("button", { type: "button", class: "wide strong", onclick: create }, icon("add"), text("key_new"));
    place.append(heading(text("view_keys"), button), table.element);
    return () => table.close();
  },
};

/** Return the columns. `changed` is called with a key object after it has changed. */
function columns({ service, session, announce }, changed) {
  return [
    { title: text("key_name"), cell: (key) => name(key, session), kind: "wrap" },
    { title: text("account_tenant"), cell: (key) => key.tenant },
    { title: text("account_scopes"), cell: (key) => key.scopes.join(", "), kind: "wrap" },
    { title: text("key_status"), cell: status },
    { title: text("key_last_used"), cell: (key) => ago(key.last_used_at) },
    { title: text("key_expires"), cell: (key) => (key.expires_at ? ago(key.expires_at) : text("key_never")) },
    { title: text("key_limits"), cell: limits },
    { title: text("key_actions"), cell: (key) => actions(key, { service, announce, changed }), kind: "buttons" },
  ];
}

function name(key, session) {
  const own = key.id === session.key_id ? element("span", { class: "tag" }, text("key_own")) : null;
  return element("div", { class: "named" }, element("b", {}, nameOf(key)), own, element("code", {}, key.id));
}

function nameOf(key) {
  return key.name || text("key_unnamed");
}

function status(key) {
  const word = element("span", { class: `status-of ${key.status}` }, text(`key_${key.status}`));
  if (key.old_secret_until) word.title = text("key_old_until", { time: exactly(key.old_secret_until) });
  return word;
}

function limits({ requests_per_minute: requests, prompts_per_minute: prompts }) {
  const own = [requests && text("key_requests", { count: number(requests) }), prompts && text("key_prompts", { count: number(prompts) })];
  return own.filter(Boolean).join(", ") || element("span", { class: "none" }, text("key_usual_limits"));
}

function actions(key, { service, announce, changed }) {
  if (key.status !== "live") return "";
  const button = (label, picture, onclick) => {
    const named = `${text(label)}: ${nameOf(key)}`;
    return element("button", { type: "button", class: "quiet", title: text(label), "aria-label": named, onclick }, icon(picture));
  };
  return element(
    "span",
    { class: "buttons" },
    button("key_change_limits", "limits", () => askForLimits(service, key, changed)),
    button("key_rotate", "rotate", () => rotate(key, service, changed)),
    button("key_revoke", "revoke", () => revoke(key, { service, announce, changed })),
  );
}

function rotate(key, service, changed) {
  const values = { name: nameOf(key) };
  showForm({
    title: text("key_rotate"),
    content: element("p", {}, text("key_rotate_about", values)),
    action: text("key_rotate"),
    run: async () => {
      const rotated = await rotateKey(service, key.id);
      changed(rotated);
      const about = text("key_rotated_about", { ...values, time: exactly(rotated.old_secret_until) });
      showSecret({ title: text("key_rotated"), about, secret: rotated.key });
    },
  });
}

function revoke(key, { service, announce, changed }) {
  const values = { name: nameOf(key) };
  confirm({
    title: text("key_revoke"),
    about: text("key_revoke_about", values),
    action: text("key_revoke"),
    run: async () => {
      changed(await revokeKey(service, key.id));
      announce(text("key_is_revoked", values));
    },
  });
}
