// The secret of a webhook endpoint, and how a receiver verifies with it.

import { copyable } from "../../page/dialog.js";
import { element } from "../../page/element.js";
import { text } from "../../texts/texts.js";
import { showSecret } from "../parts/dialogs.js";

/** Show the secret of an endpoint, which no later answer has. */
export function showSecretOf({ secret }) {
  showSecret({ title: text("webhook_secret"), about: text("webhook_secret_about"), secret });
}

/** Return an element with the code of a receiver that verifies the webhooks of an endpoint. */
export function verification(id) {
  const code = `from ovseg_client import verify_webhook

SECRET = "whsec_..."  # of ${id}


def verified(body: bytes, headers: dict[str, str]) -> dict:
    return verify_webhook(body, headers, SECRET)  # raises WebhookInvalid if the signature is wrong`;
  return element("details", {}, element("summary", {}, text("webhook_verify")), copyable(code));
}
