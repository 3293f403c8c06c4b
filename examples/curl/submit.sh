#!/usr/bin/env bash
# Submits a photo with a box, and prints the id of the job: submit.sh photo.jpg 140,10,305,180
set -euo pipefail
source "$(dirname "$0")/send.sh"
photo=$1 box=$2

key=$(cat /proc/sys/kernel/random/uuid) # the same in each try, so that the job is accepted once
send job.json "$url/v1/jobs" -H "Idempotency-Key: $key" -F image=@"$photo" -F box="$box"
jq -r .id job.json
