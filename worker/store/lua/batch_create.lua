-- Make a batch without items, unless its tenant has one with this id. ARGV: id, the maximum number of open batches of a tenant,
-- then field, value, ... of the record, which also replace those of a batch that exists.
-- Returns `created`; `exists`; `erased`: a batch with this id was deleted; `exceeded`: the tenant has as many open batches.
local id, max_open = unpack(ARGV)
local record = key('batch:', id)
if redis.call('EXISTS', record) == 1 then
  if redis.call('HEXISTS', record, 'deleted_at') == 1 then return 'erased' end
  if #ARGV > 2 then
    redis.call('HSET', record, unpack(ARGV, 3))
    mark_unarchived_record('batch:' .. id)
  end
  return 'exists'
end
if redis.call('EXISTS', key('erased_batch:', id)) == 1 then return 'erased' end
if redis.call('ZCARD', key(owner(id) .. 'batches:open')) >= tonumber(max_open) then return 'exceeded' end

-- No two batches of a tenant have the same time, so that a list has an order.
local newest = redis.call('ZRANGE', key(owner(id) .. 'batches'), -1, -1, 'WITHSCORES')[2]
if newest and tonumber(newest) >= now then now = tonumber(newest) + 1 end
redis.call('HSET', record, 'created_at', now, unpack(ARGV, 3))
redis.call('ZADD', key(owner(id) .. 'batches'), now, id)
redis.call('ZADD', key(owner(id) .. 'batches:open'), now, id)
redis.call('ZADD', key('batches:unsealed'), now, id)
mark_unarchived_record('batch:' .. id)
return 'created'
