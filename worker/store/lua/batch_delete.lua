#!lua flags=allow-oom
-- Hide a batch whose items have all ended. The feeder erases its jobs and its manifest, and then calls `batch_erase`.
-- ARGV: id. Returns `deleted`; `running` if items have not ended yet; '' if there is no such batch.
local id = ARGV[1]
local record = key('batch:', id)
local exists, deleted_at, completed_at = unpack(redis.call('HMGET', record, 'created_at', 'deleted_at', 'completed_at'))
if not exists or deleted_at then return '' end
if not completed_at then return 'running' end
redis.call('HSET', record, 'deleted_at', now)
for _, index in ipairs({owner(id) .. 'batches', 'batches:ended'}) do redis.call('ZREM', key(index), id) end
redis.call('ZADD', key('batches:due'), now, id)
mark_unarchived_record('batch:' .. id)
announce_batch(id, 'deleted')
return 'deleted'
