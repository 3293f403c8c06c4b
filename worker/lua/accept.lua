-- Nothing, or a record with its place in every index and its message in the queue.
-- ARGV: id, queue, request, message, image or '', the statuses to tell, start_within and run_within in microseconds or ''.
-- Returns the time of acceptance; the same again if the call is repeated.
local id, queue, request, message, image, wanted, start_within, run_within = unpack(ARGV)
local record = key('job:' .. id)
local accepted_at = redis.call('HGET', record, 'accepted_at')
if accepted_at then return accepted_at end

local newest = redis.call('ZRANGE', key('jobs'), -1, -1, 'WITHSCORES')[2]
if newest and tonumber(newest) >= now then now = tonumber(newest) + 1 end -- no two jobs of one instant: a list has an order

redis.call('HSET', record, 'status', 'queued', 'queue', queue, 'request', request, 'attempt', 0, 'accepted_at', int(now),
  'tell', wanted)
redis.call('ZADD', key('jobs'), int(now), id)
redis.call('ZADD', key('jobs:queued'), int(now), id)
if image ~= '' then redis.call('SET', key('input:' .. id), image) end
enqueue(id, message)
if run_within ~= '' then redis.call('HSET', record, 'run_within', run_within) end
if start_within ~= '' then
  redis.call('HSET', record, 'start_by', int(now + start_within))
  redis.call('ZADD', key('deadlines'), int(now + start_within), id)
end
return int(now)
