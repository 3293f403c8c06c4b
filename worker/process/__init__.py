"""A worker process's life: heartbeats, the list of workers, leaving, the watchdog."""
