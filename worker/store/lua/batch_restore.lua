-- Restore a chunk of the items of a batch. ARGV: id, number of the chunk, then the id and the fingerprint of each item.
local id, chunk = unpack(ARGV)
for i = 3, #ARGV, 2 do redis.call('HSETNX', key('batch_items:', id), ARGV[i], chunk .. ' ' .. ARGV[i + 1]) end
for _, index in ipairs({'batch_chunks:', 'batch_unfed:'}) do redis.call('ZADD', key(index .. id), chunk, chunk) end
redis.call('HSET', key('batch_counts:', id), 'chunks', chunk)
