#!lua flags=allow-oom
-- List a worker as alive for some seconds, and remove the workers that are not alive any more. ARGV: worker, seconds.
local worker, seconds = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', key('workers'), '-inf', now / 1000000)
redis.call('ZADD', key('workers'), now / 1000000 + seconds, worker)
