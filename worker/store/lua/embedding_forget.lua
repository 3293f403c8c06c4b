#!lua flags=allow-oom
-- Take an embedding off the list of stored ones. ARGV: key, the time when it was last used or '': if it was used after that
-- time, it stays on the list.
local embedding, used = unpack(ARGV)
local last = redis.call('ZSCORE', key('embeddings'), embedding)
if not last or (used ~= '' and int(tonumber(last)) ~= used) then return end
redis.call('ZREM', key('embeddings'), embedding)
redis.call('INCRBY', key('embedding_bytes'), -(redis.call('HGET', key('embedding_sizes'), embedding) or 0))
redis.call('HDEL', key('embedding_sizes'), embedding)
