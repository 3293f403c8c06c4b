#!lua flags=allow-oom
-- Claim a queued job for its next attempt, with a lease, and with a deadline if the job has one for each attempt.
-- ARGV: id, worker, lease in microseconds. Returns the record, or nothing if the job cannot be claimed.
local id, worker, lease = unpack(ARGV)
local record = key('job:' .. id)
if redis.call('HGET', record, 'status') ~= 'queued' then return {} end
if verdict(id) ~= '' then
  end_job(id, 'expired', '')
  return {}
end

set_status(id, 'running')
redis.call('HINCRBY', record, 'attempt', 1)
redis.call('HSET', record, 'worker', worker, 'started_at', int(now))
redis.call('ZADD', key('leases'), int(now + lease), id)
local run_within = redis.call('HGET', record, 'run_within')
if run_within then
  redis.call('HSET', record, 'run_by', int(now + run_within))
  redis.call('ZADD', key('deadlines'), int(now + run_within), id)
end
local begun = redis.call('HGETALL', record)
local attempt, first = unpack(redis.call('HMGET', record, 'attempt', 'first'))
if attempt == (first or '1') then notify(id, 'started', '') end
return begun
