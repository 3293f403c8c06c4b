"""`python -m tests.attack small|full`: hostile requests against the running service."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.attack import report, run
from tests.attack.scale import SCALES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("scale", choices=SCALES)
    parser.add_argument("--seed", type=int, default=1, help="seed of the random requests")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovseg-attack-") as folder:
        outcome = run.run(SCALES[arguments.scale], Path(folder), arguments.seed, show=True)
    print(report.text(outcome))
    return 0 if outcome.verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
