// The forms of API keys: a new key, and the limits of a key.

import { element } from "../../page/element.js";
import { changeKey, createKey } from "../../service/keys.js";
import { text } from "../../texts/texts.js";
import { showForm } from "../parts/dialogs.js";

const SCOPES = ["jobs:write", "jobs:read", "webhooks", "admin"];

/** Ask for the fields of a new key. `made` is called with its object, which has the text of the key. */
export function askForKey(service, made) {
  const name = element("input", { type: "text", id: "key-name", maxlength: 256, autocomplete: "off" });
  const tenant = element("input", {
    type: "text", id: "key-tenant", required: true, pattern: "[a-z0-9]([a-z0-9\\-]*[a-z0-9])?", maxlength: 32,
    value: "default", autocomplete: "off", spellcheck: "false",
  });
  const scopes = SCOPES.map((scope) => scopeBox(scope));
  const expires = element("input", { type: "date", id: "key-expires", min: new Date().toISOString().slice(0, 10) });
  const limits = limitFields({});
  showForm({
    title: text("key_new"),
    content: [
      field(name, text("key_name"), text("key_name_about")),
      field(tenant, text("account_tenant"), text("key_tenant_about")),
      element("fieldset", {}, element("legend", {}, text("account_scopes")), scopes),
      field(expires, text("key_expires"), text("key_expires_about")),
      ...limits.content,
    ],
    action: text("key_create"),
    run: async () => {
      const chosen = scopes.map((box) => box.querySelector("input")).filter((box) => box.checked);
      const fields = { name: name.value.trim(), tenant: tenant.value, scopes: chosen.map((box) => box.value), ...limits.values() };
      // Until the end of that day where the reader is.
      if (expires.value) fields.expires_at = new Date(`${expires.value}T23:59:59`).toISOString();
      const key = await createKey(service, fields);
      made(key);
    },
  });
}

/** Ask for the limits of a key. `changed` is called with its object after the change. */
export function askForLimits(service, key, changed) {
  const limits = limitFields(key);
  showForm({
    title: text("key_change_limits"),
    content: limits.content,
    action: text("key_save"),
    run: async () => changed(await changeKey(service, key.id, limits.values())),
  });
}

/** Return the fields for limits, with those of a key in them, and a function that reads them. */
function limitFields(key) {
  const inputs = ["requests_per_minute", "prompts_per_minute"].map((name) =>
    element("input", { type: "number", id: `key-${name}`, min: 1, max: 1e9, step: 1, value: key[name], name }),
  );
  return {
    content: inputs.map((input) => field(input, text(`key_${input.name}`), text("key_limit_about"))),
    values: () => Object.fromEntries(inputs.map(({ name, value }) => [name, value ? Number(value) : null])),
  };
}

function field(input, label, about) {
  input.setAttribute("aria-describedby", `${input.id}-about`);
  const note = element("small", { id: `${input.id}-about` }, about);
  return element("div", { class: "field" }, element("label", { for: input.id }, label), input, note);
}

function scopeBox(scope) {
  const box = element("input", { type: "checkbox", value: scope, checked: scope !== "admin" });
  return element("label", { class: "box" }, box, element("code", {}, scope), element("small", {}, text(`scope_${scope.replace(":", "_")}`)));
}
