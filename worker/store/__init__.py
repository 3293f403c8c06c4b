"""Where things are kept: Redis and its scripts, the queue, object storage. Knows no job."""
