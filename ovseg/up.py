"""`ovseg up`: run the service until Ctrl-C, with its log on this terminal."""

from __future__ import annotations

import signal
import time
from types import FrameType

from ovseg import terminal
from ovseg.embedded.data_dir import InUse
from ovseg.stack import Plan, StartFailed, running

READY = """
  ovseg is ready at {url}      (its data is in {folder})

  Submit a photo and wait for its masks:

    curl -s {url}/v1/jobs \\
      -F image=@photo.jpg \\
      -F 'request={{"prompts": [{{"box": [100, 50, 400, 300]}}, {{"points": [[120, 80]]}}]}}'
    curl -s '{url}/v1/jobs/ID?wait=60'

  Stop with Ctrl-C.
"""


def run(plan: Plan) -> int:
    """Run the stack. Return the exit code: 0 after Ctrl-C or SIGTERM, 1 if the stack did not start."""
    is_stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        # It interrupts the main thread anywhere, also where that thread holds a lock: of the terminal, or of a process
        # that it looks after. So it takes no lock, and raises nothing that would leave one locked.
        nonlocal is_stopping
        is_stopping = True

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, stop)
    try:
        with running(plan, terminal.show, lambda: is_stopping) as stack:
            terminal.plain(READY.format(url=plan.url, folder=plan.folder))
            while True:
                stack.look_after()
                time.sleep(0.2)
    except KeyboardInterrupt:
        terminal.show("ovseg", "stopped")
        return 0
    except (StartFailed, InUse, FileNotFoundError) as error:
        terminal.show("ovseg", str(error))
        return 1
