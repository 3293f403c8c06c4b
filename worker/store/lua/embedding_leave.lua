#!lua flags=allow-oom
-- A worker is done with an embedding, or gives it up. ARGV: key, worker, seconds for which is remembered that there was
-- a wish for it.
local embedding, worker, seconds = unpack(ARGV)
local making = key('embedding:' .. embedding)
if redis.call('HGET', making, 'maker') ~= worker then return end
redis.call('HDEL', making, 'maker')
redis.call('HSET', making, 'wanted', 1)
redis.call('EXPIRE', making, seconds)
