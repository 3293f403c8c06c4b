"""HTTP to hosts that clients choose: only public addresses are dialled, and every call has one deadline."""
