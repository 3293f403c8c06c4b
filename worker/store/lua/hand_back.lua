#!lua flags=allow-oom
-- A worker that is to stop gives a job back unfinished: to the front of its queue, at once, and the attempt does not
-- count. ARGV: id, attempt, message. Returns the status that the job has now, or '' to a stale attempt.
local id, attempt, message = unpack(ARGV)
if not is_held(id, attempt) then return '' end
if verdict(id) ~= '' then return close(id, 'canceled', '') end
move(id, 'queued')
redis.call('HINCRBY', key('job:' .. id), 'forgiven', 1)
enqueue_first(id, message)
return 'queued'
