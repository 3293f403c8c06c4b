#!lua flags=allow-oom
-- Note how far the items of a batch were fed, and when the feeder looks at the batch again: while it has items to feed, jobs
-- to cancel or jobs to erase. ARGV: id, number of the chunk ('' if no item was fed), position of the next item in it ('' if the
-- chunk is fed), delay in microseconds.
local id, chunk, position, delay = unpack(ARGV)
local exists, canceled_at, deleted_at = unpack(redis.call('HMGET', key('batch:', id), 'created_at', 'canceled_at', 'deleted_at'))
if not exists then return redis.call('ZREM', key('batches:due'), id) end
if chunk ~= '' and position == '' then
  redis.call('ZREM', key('batch_unfed:', id), chunk)
  redis.call('HDEL', key('batch_counts:', id), 'fed')
elseif chunk ~= '' then
  redis.call('HSET', key('batch_counts:', id), 'fed', chunk .. ' ' .. position)
end
local has_open = canceled_at and redis.call('EXISTS', key('batch_open:', id)) == 1
if deleted_at or has_open or redis.call('EXISTS', key('batch_unfed:', id)) == 1 then
  redis.call('ZADD', key('batches:due'), now + delay, id)
else
  redis.call('ZREM', key('batches:due'), id)
end
