"""Import this before Paddle, which warns at import that there is no ccache; that matters only to those who compile its
C++ extensions."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="No ccache found")
    import paddle as paddle
