"""The image of a job: its source, its file, its pixels."""
