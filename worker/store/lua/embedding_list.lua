-- Put an embedding that is about to be stored on the list of stored ones. ARGV: key, bytes.
local embedding, bytes = unpack(ARGV)
local before = redis.call('HGET', key('embedding_sizes'), embedding) or 0
redis.call('ZADD', key('embeddings'), now, embedding)
redis.call('HSET', key('embedding_sizes'), embedding, bytes)
redis.call('INCRBY', key('embedding_bytes'), bytes - before)
