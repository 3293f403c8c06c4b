"""Paddle: take it from here, never from `paddle` itself.

Importing Paddle limits OpenMP to one thread for the whole process, and warns if more are set; it also warns that there
is no ccache, which matters only to those who compile its C++ extensions. We run one network at a time, and all cores
that the process may use are for it.
"""

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
    from paddle import nn as nn
    from paddle.nn import functional as functional
sys.stderr.writelines(line for line in said.getvalue().splitlines(keepends=True) if "OMP_NUM_THREADS" not in line)
if not is_chosen:
    del os.environ["OMP_NUM_THREADS"]  # processes that this one starts choose for themselves
