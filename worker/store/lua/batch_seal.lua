#!lua flags=allow-oom
-- Mark the manifest of a batch as complete: the batch completes once all its items have ended. ARGV: id, and a time: a batch
-- that got an item later is not marked ('' for any time).
local id, unchanged_since = unpack(ARGV)
local changed_at = redis.call('ZSCORE', key('batches:unsealed'), id)
if not changed_at then return settle_batch(id) end -- it is marked already
if unchanged_since ~= '' and tonumber(changed_at) > tonumber(unchanged_since) then return end
redis.call('ZREM', key('batches:unsealed'), id)
redis.call('HSET', key('batch:', id), 'sealed_at', now)
mark_unarchived_record('batch:' .. id)
settle_batch(id)
