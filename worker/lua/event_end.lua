-- How a try went. ARGV: event id, state (delivered, pending or dead), delay to the next try in microseconds, outcome.
local event, state, delay, outcome = unpack(ARGV)
-- Over already: erased with its job, or told by another sender while this one was taken for dead.
if redis.call('HGET', key('event:' .. event), 'state') ~= 'pending' then return end
redis.call('HSET', key('event:' .. event), 'state', state, 'outcome', outcome, 'tried_at', int(now))
if state == 'pending' then
  redis.call('ZADD', key('events:due'), int(now + delay), event)
else
  redis.call('ZREM', key('events:due'), event)
end
