"""HTTP to hosts that callers name: only public addresses, every call within one deadline."""
