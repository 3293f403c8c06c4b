#!lua flags=allow-oom
-- Remove a worker that stops from the list, and add what it has counted. ARGV: worker, then name, count, name, count, ...
redis.call('ZREM', key('workers'), ARGV[1])
redis.call('HDEL', key('worker_models'), ARGV[1])
count_latencies(2)
