"""Import this before Paddle. At import it keeps itself, and what OpenMP runs later in this process, to one thread, and
calls more of them unwise; and warns that there is no ccache, which matters only to those who compile its C++
extensions. We run one network at a time, and all cores that the process may use are for it."""

import io
import os
import sys
import warnings
from contextlib import redirect_stderr

is_chosen = "OMP_NUM_THREADS" in os.environ
if not is_chosen:
    os.environ["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))
with warnings.catch_warnings(), redirect_stderr(io.StringIO()) as said:
    warnings.filterwarnings("ignore", message="No ccache found")
    import paddle as paddle
sys.stderr.writelines(line for line in said.getvalue().splitlines(keepends=True) if "OMP_NUM_THREADS" not in line)
if not is_chosen:
    del os.environ["OMP_NUM_THREADS"]  # processes that this one starts choose for themselves
