#!lua flags=allow-oom
-- Erase a batch whose jobs and manifest are erased. ARGV: id, seconds for which no other batch may have the id.
local id, seconds = unpack(ARGV)
for _, event in ipairs(redis.call('LRANGE', key('batch_told:', id), 0, -1)) do delete_event(event) end
for _, name in ipairs({'batch', 'batch_told', 'batch_items', 'batch_chunks', 'batch_unfed', 'batch_counts', 'batch_jobs', 'batch_open'}) do
  redis.call('DEL', key(name .. ':' .. id))
end
for _, index in ipairs({'batches:due', 'batches:ended', 'batches:unsealed', owner(id) .. 'batches', owner(id) .. 'batches:open'}) do
  redis.call('ZREM', key(index), id)
end
redis.call('SET', key('erased_batch:', id), '', 'EX', seconds)
mark_unarchived_record('batch:' .. id)
