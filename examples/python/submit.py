"""Submits a photo with a box, and prints the id of the job: python submit.py photo.jpg 140,10,305,180"""

import sys

from ovseg_client import Client

photo, box = sys.argv[1:]
job = Client().submit(photo, boxes=[[float(side) for side in box.split(",")]])
print(job.id)
