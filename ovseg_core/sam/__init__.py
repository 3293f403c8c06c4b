"""The network in Paddle; the only part of ovseg that imports Paddle."""

import warnings

with warnings.catch_warnings():
    # Paddle warns at import that there is no ccache; it matters only to those who compile its C++ extensions.
    warnings.filterwarnings("ignore", message="No ccache found")
    import paddle as paddle
