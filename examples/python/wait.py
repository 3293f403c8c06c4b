"""Waits for a job, prints its masks and saves the overlay: python wait.py ID"""

import sys
from pathlib import Path

from ovseg_client import Client, JobFailed

client = Client()
job = client.job(sys.argv[1])
try:
    result = job.wait()
except JobFailed as failure:
    sys.exit(str(failure))

for mask in result:
    print(mask.score, mask.box)
Path("overlay.jpg").write_bytes(client.file(result, "overlay.jpg"))
