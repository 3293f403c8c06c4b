#!lua flags=allow-oom
-- An embedding is stored no more. ARGV: key, and when it was last used or '': if it was used since, it stays listed.
local embedding, used = unpack(ARGV)
local last = redis.call('ZSCORE', key('embeddings'), embedding)
if not last or (used ~= '' and int(tonumber(last)) ~= used) then return end
redis.call('ZREM', key('embeddings'), embedding)
redis.call('INCRBY', key('embedding_bytes'), -(redis.call('HGET', key('embedding_sizes'), embedding) or 0))
redis.call('HDEL', key('embedding_sizes'), embedding)
