#!lua flags=allow-oom
-- Keep a snapshot of the counters, unless this minute has one, and forget those that are older than `kept` microseconds.
-- Redis's clock may have been set back: snapshots from the future are forgotten, too. ARGV: kept.
local kept = ARGV[1]
local minute = 60 * 1000000
local history = key('history')
redis.call('ZREMRANGEBYSCORE', history, int(now + 1), '+inf')
if redis.call('ZCOUNT', history, int(math.floor(now / minute) * minute), '+inf') > 0 then return end
redis.call('ZREMRANGEBYSCORE', history, '-inf', now - kept)
redis.call('ZADD', history, now, snapshot())
