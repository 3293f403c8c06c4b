"""What a job is: what may be asked, what is on record, and who may change it."""
