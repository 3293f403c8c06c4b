#!lua flags=allow-oom
-- List a worker as alive for some seconds, with its report, and add what it has counted. List the workers that are not alive
-- any more as lost. ARGV: worker, seconds, report, then name, count, name, count, ...
local worker, seconds, report = unpack(ARGV)
local seconds_now = now / 1000000
local dead = redis.call('ZRANGEBYSCORE', key('workers'), '-inf', seconds_now, 'WITHSCORES')
for i = 1, #dead, 2 do
  redis.call('ZREM', key('workers'), dead[i])
  redis.call('HDEL', key('worker_models'), dead[i])
  redis.call('ZADD', key('lost_workers'), dead[i + 1], dead[i])
end
if #dead > 0 then
  redis.call('ZREMRANGEBYRANK', key('lost_workers'), 0, -LOST_WORKERS - 1)
  redis.call('EXPIRE', key('lost_workers'), LOST_SECONDS)
end
redis.call('ZREM', key('lost_workers'), worker)
redis.call('ZADD', key('workers'), seconds_now + seconds, worker)
redis.call('HSET', key('worker_models'), worker, report)
count_latencies(4)
