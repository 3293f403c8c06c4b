"""`python -m tests.chaos small|full`: run the service with faults, and check what it promises."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos import report, run
from tests.chaos.scale import SCALES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("scale", choices=SCALES)
    parser.add_argument("--seed", type=int, default=1, help="seed of the order of the faults")
    parser.add_argument("--share", type=float, default=1.0, help="share of the time, the jobs and the faults, 0 to 1")
    parser.add_argument("--folder", type=Path, help="keep logs and data here")
    arguments = parser.parse_args()
    scale = SCALES[arguments.scale].times(arguments.share)
    with tempfile.TemporaryDirectory(prefix="ovseg-chaos-") as folder:
        outcome = run.run(scale, arguments.folder or Path(folder), arguments.seed, show_progress=True)
    print(report.text(outcome))
    return 0 if outcome.verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
