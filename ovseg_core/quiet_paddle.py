"""Import Paddle without its side effects. Other modules import `paddle` from here, never directly.

Importing Paddle limits OpenMP to one thread for the whole process, and prints a warning if more are set. We run one
network at a time, and it should use all cores that the process may use. Paddle also warns that ccache is missing, which
matters only for compiling its C++ extensions.

Importing Paddle also replaces the process's handler of SIGTERM by one that prints a C++ traceback and ends the process.
A worker that imports Paddle for its second model would then be killed in the middle of its jobs, instead of finishing
them or handing them back. `signal.signal` works only in the main thread, and models are loaded in others: so the
handler is saved and restored by the C library, in the bytes of its own `struct sigaction`.
"""

import ctypes
import io
import os
import signal
import sys
import warnings
from contextlib import redirect_stderr

is_set_by_user = "OMP_NUM_THREADS" in os.environ
if not is_set_by_user:
    os.environ["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))
libc, on_sigterm = ctypes.CDLL(None), ctypes.create_string_buffer(256)  # the struct has 152 bytes on Linux
libc.sigaction(signal.SIGTERM, None, on_sigterm)
with warnings.catch_warnings(), redirect_stderr(io.StringIO()) as captured:
    warnings.filterwarnings("ignore", message="No ccache found")
    import paddle as paddle
    from paddle import nn as nn
    from paddle.nn import functional as functional
libc.sigaction(signal.SIGTERM, on_sigterm, None)
sys.stderr.writelines(line for line in captured.getvalue().splitlines(keepends=True) if "OMP_NUM_THREADS" not in line)
if not is_set_by_user:
    del os.environ["OMP_NUM_THREADS"]  # child processes must not inherit it
