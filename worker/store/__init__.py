"""Access to Redis and its scripts, to Celery's queues and to object storage. Imports none of the other families."""
