#!/usr/bin/env bash
# Waits for a job, prints its masks and saves the overlay: wait.sh ID
set -euo pipefail
source "$(dirname "$0")/send.sh"
id=$1

until send job.json "$url/v1/jobs/$id?wait=30" && jq -e .is_final job.json > /dev/null; do
  sleep 1 # answers are held for up to 30 s, but not if too many clients wait
done
if ! jq -e .result job.json > /dev/null; then
  jq -r '"\(.status): \(.error.message // .result_gone.reason)"' job.json >&2
  exit 1
fi
jq -c '.result.maskInfos[] | {score, box}' job.json
send overlay.jpg "$url/v1/jobs/$id/files/overlay.jpg"
