-- Return the number of the next chunk of a batch, under which its items can be stored; or why the batch takes no items:
-- `missing`, `canceled`, `recovering` (its items are still being restored), or `memory` (Redis has no room for submissions).
-- ARGV: id.
local id = ARGV[1]
local exists, deleted_at, canceled_at, recovering =
  unpack(redis.call('HMGET', key('batch:', id), 'created_at', 'deleted_at', 'canceled_at', 'recovering'))
if not exists or deleted_at then return 'missing' end
if canceled_at then return 'canceled' end
if recovering then return 'recovering' end
if memory_used() >= FILLED_BY_SUBMISSIONS then return 'memory' end
return redis.call('HINCRBY', key('batch_counts:', id), 'chunks', 1)
