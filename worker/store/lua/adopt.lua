#!lua flags=allow-oom
-- Put a job that a version without lanes queued into a line. ARGV: id. Returns its queue, or '' if there is no such job.
adopt(ARGV[1])
return redis.call('HGET', key('job:', ARGV[1]), 'queue') or ''
