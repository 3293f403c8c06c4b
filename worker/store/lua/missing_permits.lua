#!lua flags=allow-oom
-- Put the jobs that a version without lanes queued into lines; they have waited longest. Then return how many permits a queue
-- lacks. If no job has waited in the queue for `long` microseconds, change nothing and return 0. ARGV: queue, long.
local queue, long = unpack(ARGV)
local waiting = key('waiting:', queue)
local oldest = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
if not oldest or oldest + long > now then return 0 end
for _, id in ipairs(redis.call('ZRANGE', waiting, 0, 99)) do adopt(id) end
return math.max(0, redis.call('ZCARD', waiting) - redis.call('LLEN', key('q:', queue)))
