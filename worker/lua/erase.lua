-- Everything of a job that does not run, but its files: they go next, and the id stands in `erasing` until they have.
-- ARGV: id, delay in microseconds after which the reaper sees to the files, seconds for which nobody else may have the id.
-- Returns the status that it had, or ''.
local id, delay, seconds = unpack(ARGV)
local status = redis.call('HGET', key('job:' .. id), 'status')
if not status or status == 'running' then return status or '' end

release(id)
for _, index in ipairs({'jobs', 'jobs:' .. status, 'ended'}) do redis.call('ZREM', key(index), id) end
redis.call('DEL', key('job:' .. id), key('input:' .. id))
for _, event in ipairs(redis.call('LRANGE', key('told:' .. id), 0, -1)) do forget(event) end
redis.call('DEL', key('told:' .. id))
redis.call('SET', key('erased:' .. id), '', 'EX', seconds)
redis.call('ZADD', key('erasing'), int(now + delay), id)
redis.call('PUBLISH', key('done'), id)
return status
