-- Claim a queued job: the next attempt, a lease. Returns the record, or nothing where there is nothing to claim.
-- ARGV: id, worker, lease in microseconds.
local id, worker, lease = unpack(ARGV)
local record = key('job:' .. id)
if redis.call('HGET', record, 'status') ~= 'queued' then return {} end

move(id, 'running')
redis.call('HINCRBY', record, 'attempt', 1)
redis.call('HSET', record, 'worker', worker, 'started_at', int(now))
redis.call('ZADD', key('leases'), int(now + lease), id)
return redis.call('HGETALL', record)
