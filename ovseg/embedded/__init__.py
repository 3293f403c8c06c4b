"""Redis and S3 for a laptop: real servers from wheels, on loopback, without root or Docker."""
