#!lua flags=allow-oom
-- Put the unfinished job of a worker that must stop at the front of its line, without a delay; the attempt does not count.
-- ARGV: id, attempt, permit. Returns the job's status now, or '' if the attempt is stale.
local id, attempt, permit = unpack(ARGV)
if not is_held(id, attempt) then return '' end
if verdict(id) ~= '' then return end_job(id, 'canceled', '') end
set_status(id, 'queued')
redis.call('HINCRBY', key('job:' .. id), 'forgiven', 1)
enqueue(id, permit, true)
return 'queued'
