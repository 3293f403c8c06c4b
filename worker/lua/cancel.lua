-- A queued job is canceled at once; a running one is marked, and ends as canceled when its attempt next asks or ends.
-- ARGV: id. Returns the status that it has now, or ''.
local id = ARGV[1]
local status = redis.call('HGET', key('job:' .. id), 'status')
if status == 'queued' then return close(id, 'canceled', '') end
if status == 'running' then redis.call('HSETNX', key('job:' .. id), 'cancel_requested_at', int(now)) end
return status or ''
