"""The life of a worker process: heartbeat, roster of live workers, shutdown, watchdog, and signs of life for health."""
