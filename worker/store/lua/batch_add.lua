-- Add a chunk of items, which is in storage, to a batch. An item that the batch has already stays in its earlier chunk.
-- A batch that has completed is open again if it gets a new item. ARGV: id, number of the chunk, the maximum number of items,
-- then the id and the fingerprint of each item. Returns `added`, `missing` or `canceled`; then for each item: 1 if it is new,
-- 0 if the batch has it, 2 if the batch has another item with this id, 3 if the batch has the maximum number of items.
local id, chunk, max_items = unpack(ARGV)
local record, items = key('batch:', id), key('batch_items:', id)
local exists, deleted_at, canceled_at, completed_at =
  unpack(redis.call('HMGET', record, 'created_at', 'deleted_at', 'canceled_at', 'completed_at'))
if not exists or deleted_at then return {'missing'} end
if canceled_at then return {'canceled'} end

local outcome, room = {'added'}, tonumber(max_items) - redis.call('HLEN', items)
local is_new = false
for i = 4, #ARGV, 2 do
  local known = redis.call('HGET', items, ARGV[i])
  if known then
    outcome[#outcome + 1] = string.match(known, ' (.*)') == ARGV[i + 1] and 0 or 2
  elseif room < 1 then
    outcome[#outcome + 1] = 3
  else
    redis.call('HSET', items, ARGV[i], chunk .. ' ' .. ARGV[i + 1])
    room, is_new = room - 1, true
    outcome[#outcome + 1] = 1
  end
end
if not is_new then return outcome end

redis.call('ZADD', key('batch_chunks:', id), chunk, chunk)
redis.call('ZADD', key('batch_unfed:', id), chunk, chunk)
redis.call('ZADD', key('batches:unsealed'), 'XX', now, id)
if completed_at then
  redis.call('HDEL', record, 'completed_at')
  redis.call('HINCRBY', record, 'reopened', 1)
  redis.call('ZREM', key('batches:ended'), id)
  redis.call('ZADD', key(owner(id) .. 'batches:open'), redis.call('HGET', record, 'created_at'), id)
  mark_unarchived_record('batch:' .. id)
end
redis.call('ZADD', key('batches:due'), 'NX', now, id)
return outcome
