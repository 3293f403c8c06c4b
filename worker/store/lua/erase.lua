#!lua flags=allow-oom
-- Everything of a job that does not run, but its files: they go next, and the id stands in `erasing` until they have.
-- ARGV: id, delay in microseconds after which the reaper sees to the files, seconds for which nobody else may have the id,
-- 1 for a job that only the archive knows. Returns the status that it had, `lost` for such a one, or ''.
local id, delay, seconds, is_lost = unpack(ARGV)
local status = redis.call('HGET', key('job:' .. id), 'status')
if status == 'running' or not (status or is_lost == '1') then return status or '' end

if status then
  release(id)
  for _, index in ipairs({'jobs', 'jobs:' .. status, 'ended', 'unarchived'}) do redis.call('ZREM', key(index), id) end
end
redis.call('DEL', key('job:' .. id), key('input:' .. id))
for _, event in ipairs(redis.call('LRANGE', key('told:' .. id), 0, -1)) do forget(event) end
redis.call('DEL', key('told:' .. id))
redis.call('SET', key('erased:' .. id), '', 'EX', seconds)
redis.call('ZADD', key('erasing'), int(now + delay), id)
redis.call('PUBLISH', key('done'), id)
return status or 'lost'
