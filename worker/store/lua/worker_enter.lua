#!lua flags=allow-oom
-- List a worker as alive for some seconds, with the report of its models, and remove the workers that are not alive any
-- more. ARGV: worker, seconds, report.
local worker, seconds, report = unpack(ARGV)
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', key('workers'), '-inf', now / 1000000)) do
  redis.call('ZREM', key('workers'), dead)
  redis.call('HDEL', key('worker_models'), dead)
end
redis.call('ZADD', key('workers'), now / 1000000 + seconds, worker)
redis.call('HSET', key('worker_models'), worker, report)
