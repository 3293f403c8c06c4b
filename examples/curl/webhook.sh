#!/usr/bin/env bash
# Registers a receiver of events of all jobs, prints its secret, and sends it a test event:
# webhook.sh https://hooks.example.com/ovseg
set -euo pipefail
source "$(dirname "$0")/send.sh"
receiver=$1

endpoints=$url/v1/webhook-endpoints
send endpoints.json "$endpoints"
if jq -e --arg url "$receiver" 'any(.endpoints[]; .url == $url)' endpoints.json > /dev/null; then
  echo "$receiver is registered already" >&2
  exit 1
fi
jq -n --arg url "$receiver" '{$url, events: ["job.succeeded", "job.failed"]}' |
  send endpoint.json "$endpoints" -H 'Content-Type: application/json' --data-binary @- --retry 0
jq -r .secret endpoint.json
send test.json "$endpoints/$(jq -r .id endpoint.json)/test" -X POST
