-- Why no more jobs are accepted: `jobs`, `memory`, or ''. ARGV: how many jobs may be queued.
return full(ARGV[1])
