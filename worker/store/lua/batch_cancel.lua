#!lua flags=allow-oom
-- Cancel a batch: its waiting items now, and its jobs soon, by the feeder. It takes no further items.
-- ARGV: id. Returns `canceled`, now or before; `completed` if all its items have ended; '' if there is no such batch.
local id = ARGV[1]
local record = key('batch:', id)
local exists, deleted_at, canceled_at, completed_at =
  unpack(redis.call('HMGET', record, 'created_at', 'deleted_at', 'canceled_at', 'completed_at'))
if not exists or deleted_at then return '' end
if canceled_at then return 'canceled' end
if completed_at then return 'completed' end
redis.call('HSET', record, 'canceled_at', now)
redis.call('HSETNX', record, 'sealed_at', now)
redis.call('ZREM', key('batches:unsealed'), id)
redis.call('HINCRBY', key('batch_counts:', id), 'canceled', waiting_items(id))
redis.call('DEL', key('batch_unfed:', id))
redis.call('ZADD', key('batches:due'), now, id)
mark_unarchived_record('batch:' .. id)
announce_batch(id, 'progress')
settle_batch(id)
return 'canceled'
