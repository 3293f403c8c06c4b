#!lua flags=allow-oom
-- A queued job is canceled at once; a running one is marked, and ends as canceled when its attempt next asks or ends.
-- An attempt that does neither in time is not waited for: the reaper ends the job.
-- ARGV: id, that time in microseconds. Returns the status that it has now, or ''.
local id, patience = unpack(ARGV)
local status = redis.call('HGET', key('job:' .. id), 'status')
if status == 'queued' then return close(id, 'canceled', '') end
if status == 'running' and redis.call('HSETNX', key('job:' .. id), 'cancel_requested_at', int(now)) == 1 then
  redis.call('ZADD', key('deadlines'), 'LT', int(now + patience), id)
end
return status or ''
