"""Receives signed events and prints them: OVSEG_WEBHOOK_SECRET=whsec_... python webhook.py 9000"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ovseg_client import WebhookInvalid, verify_webhook

MAX_BYTES = 4_000_000
SECRET = os.environ["OVSEG_WEBHOOK_SECRET"]
seen = set()  # in production a table: an event may come again after a restart, too


class Receiver(BaseHTTPRequestHandler):
    timeout = 15  # seconds for a sender that stops in the middle

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        self.send_response(413 if size > MAX_BYTES else self.receive(self.rfile.read(size)))
        self.end_headers()

    def receive(self, body):
        try:
            event = verify_webhook(body, self.headers, SECRET)  # refuses what is older than five minutes, too
        except WebhookInvalid:
            return 401
        event_id = self.headers["webhook-id"]
        if event_id not in seen:
            print(event["type"], event["data"]["id"], event["data"]["status"], flush=True)
            seen.add(event_id)
        return 204  # only now: an event without a 2xx comes again

    def log_message(self, *arguments):
        pass  # no line for each request


ThreadingHTTPServer(("", int(sys.argv[1])), Receiver).serve_forever()
