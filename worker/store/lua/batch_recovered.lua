-- Let a batch whose items are restored continue, unless that is done already. Its jobs that had ended are restored, too.
-- ARGV: id, a time: the end of a batch that completed later is notified again, then the id and the job of each item whose job was erased.
local id = ARGV[1]
local record, counts, items = key('batch:', id), key('batch_counts:', id), key('batch_items:', id)
if redis.call('HDEL', record, 'recovering') == 0 then return end
for i = 3, #ARGV, 2 do
  local item = redis.call('HGET', items, ARGV[i])
  if item and redis.call('EXISTS', key('job:', ARGV[i + 1])) == 0 then
    redis.call('HSET', items, ARGV[i], '0' .. string.match(item, ' .*')) -- in no chunk, so that it is not fed
    redis.call('HINCRBY', counts, 'deleted', 1)
  end
end

local created_at, sealed_at, canceled_at, completed_at, deleted_at =
  unpack(redis.call('HMGET', record, 'created_at', 'sealed_at', 'canceled_at', 'completed_at', 'deleted_at'))
redis.call('HINCRBY', record, 'recoveries', 1)
redis.call('ZADD', key('batches:due'), now, id)
mark_unarchived_record('batch:' .. id)
if deleted_at then return end
redis.call('ZADD', key(owner(id) .. 'batches'), created_at, id)
if completed_at then redis.call('ZADD', key('batches:ended'), completed_at, id)
else redis.call('ZADD', key(owner(id) .. 'batches:open'), created_at, id) end
if not sealed_at then redis.call('ZADD', key('batches:unsealed'), now, id) end
if canceled_at or completed_at then -- no job is made of the items without one: they were canceled, or their jobs were erased
  redis.call('HINCRBY', counts, completed_at and not canceled_at and 'deleted' or 'canceled', waiting_items(id))
  redis.call('DEL', key('batch_unfed:', id))
end
if completed_at and tonumber(completed_at) > tonumber(ARGV[2]) then notify_completed(id) end
settle_batch(id)
