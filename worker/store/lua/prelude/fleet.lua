-- How long a worker that died without leaving is remembered, and how many of them.
local LOST_SECONDS = 600
local LOST_WORKERS = 50

-- Add what a worker has counted since its last heartbeat: name, count, name, count, ... from ARGV[first] on.
local function count_latencies(first)
  for i = first, #ARGV, 2 do redis.call('HINCRBY', key('latencies'), ARGV[i], ARGV[i + 1]) end
end

-- Return the counters and the number of queued and running jobs as JSON. Two times have different JSON.
local function snapshot()
  return cjson.encode({
    at = now, counts = redis.call('HGETALL', key('counts')), latencies = redis.call('HGETALL', key('latencies')),
    queued = queued(), running = redis.call('ZCARD', key('leases')),
  })
end
