"""Import Paddle without its side effects. Other modules import `paddle` from here, never directly.

Importing Paddle limits OpenMP to one thread for the whole process, and prints a warning if more are set. We run one
network at a time, and it should use all cores that the process may use. Paddle also warns that ccache is missing, which
matters only for compiling its C++ extensions.
"""

import io
import os
import sys
import warnings
from contextlib import redirect_stderr

is_set_by_user = "OMP_NUM_THREADS" in os.environ
if not is_set_by_user:
    os.environ["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))
with warnings.catch_warnings(), redirect_stderr(io.StringIO()) as captured:
    warnings.filterwarnings("ignore", message="No ccache found")
    import paddle as paddle
    from paddle import nn as nn
    from paddle.nn import functional as functional
sys.stderr.writelines(line for line in captured.getvalue().splitlines(keepends=True) if "OMP_NUM_THREADS" not in line)
if not is_set_by_user:
    del os.environ["OMP_NUM_THREADS"]  # child processes must not inherit it
