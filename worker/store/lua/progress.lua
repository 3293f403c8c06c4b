#!lua flags=allow-oom
-- Record how far an attempt is, if it still holds the job. ARGV: id, attempt, progress as JSON.
local id, attempt, progress = unpack(ARGV)
if is_held(read_job(id, 'status', 'attempt'), attempt) then
  redis.call('HSET', key('job:', id), 'progress', progress)
  write_to_feed('job:' .. id, 'job.progress', id, progress)
end
