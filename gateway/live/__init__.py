"""Live events: what happens to jobs, sent to clients as event streams while it happens."""
