#!lua flags=allow-oom
-- A worker is alive, for so long again; those that are not any more go off the list. ARGV: worker, seconds.
local worker, seconds = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', key('workers'), '-inf', now / 1000000)
redis.call('ZADD', key('workers'), now / 1000000 + seconds, worker)
