"""Runs a caller against a front: `python start.py CALLER URL`, with the Python that has the client.

Most clients read their server's address from the environment. Roboflow's is an argument, and fal's storage is a
constant of its module.
"""

import runpy
import sys
import tempfile
from pathlib import Path

caller, url = Path(sys.argv[1]), sys.argv[2]
if caller.parent.name == "fal":
    import fal_client.client

    fal_client.client.CDN_URL = fal_client.client.REST_URL = url
with tempfile.TemporaryDirectory() as folder:
    script = Path(folder, caller.name)
    script.write_text(caller.read_text().replace("http://localhost:9001", url))
    runpy.run_path(str(script), run_name="__main__")
