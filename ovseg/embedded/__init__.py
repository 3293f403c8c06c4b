"""Redis and S3 for one machine: real servers installed as wheels, on loopback, without root or Docker."""
