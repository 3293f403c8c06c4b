-- Return why no more jobs are accepted: `jobs`, `memory`, or '' if they are accepted. ARGV: max_queued_jobs.
return full(ARGV[1])
