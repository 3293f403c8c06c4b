"""Submits the jobs of a manifest, whose first line has the defaults, waits for them and saves the results:
python batch.py cars manifest.ndjson results.ndjson
"""

import json
import sys
from pathlib import Path

from ovseg_client import Client

batch_id, manifest, results = sys.argv[1:]
head, *items = map(json.loads, Path(manifest).read_text().splitlines())
batch = Client().batches.create(items, id=batch_id, defaults=head["defaults"])
for error in batch.errors:
    print(f"item {error['line']}: {error['message']}", file=sys.stderr)

batch.wait()
with Path(results).open("w") as file:
    for item in batch.results():
        print(json.dumps(item.raw), file=file)
print(batch.counts)
