#!/usr/bin/env bash
# Submits the jobs of a manifest, waits for them and saves the results:
# batch.sh cars manifest.ndjson results.ndjson
set -euo pipefail
source "$(dirname "$0")/send.sh"
id=$1 manifest=$2 results=$3

send batch.json -X PUT "$url/v1/batches/$id" \
  -H 'Content-Type: application/x-ndjson' --data-binary @"$manifest"
jq -r '.manifest.errors[] | "line \(.line): \(.message)"' batch.json >&2
until send batch.json "$url/v1/batches/$id?wait=30" && jq -e .is_final batch.json > /dev/null; do
  jq -r '"\(.progress.done) of \(.progress.total)"' batch.json >&2
  sleep 1 # answers are held for up to 30 s, but not if too many clients wait
done
send "$results" --compressed --max-time 0 "$url/v1/batches/$id/results"
jq -c .counts batch.json
