"""Waits for a job, prints its masks and saves the overlay: python wait.py ID"""

import sys
from urllib.request import urlretrieve

from ovseg_client import Client, JobFailed

job = Client().job(sys.argv[1])
try:
    result = job.wait()
except JobFailed as failure:
    sys.exit(str(failure))

for mask in result:
    print(mask.score, mask.box)
urlretrieve(result.raw["files"]["overlay"]["url"], "overlay.jpg")
