#!lua flags=allow-oom
-- A worker has made an embedding, or stops making it. ARGV: key, worker, seconds for which Redis remembers that the
-- embedding was wanted.
local embedding, worker, seconds = unpack(ARGV)
local making = key('embedding:', embedding)
if redis.call('HGET', making, 'maker') ~= worker then return end
redis.call('HDEL', making, 'maker')
redis.call('HSET', making, 'wanted', 1)
redis.call('EXPIRE', making, seconds)
