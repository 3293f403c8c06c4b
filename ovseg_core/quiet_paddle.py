"""Import this before Paddle, which at import keeps itself, and what OpenMP runs later in this process, to one thread,
and says in four lines that more would be unwise; and warns that there is no ccache, which matters only to those who
compile its C++ extensions. One process and one model is what we are: all cores that it may use are the network's."""

import io
import os
import warnings
from contextlib import redirect_stderr

os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
    warnings.filterwarnings("ignore", message="No ccache found")
    import paddle as paddle
