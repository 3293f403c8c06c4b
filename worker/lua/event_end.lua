-- How a try went. ARGV: event id, state (delivered, pending or dead), delay to the next try in microseconds, outcome.
local event, state, delay, outcome = unpack(ARGV)
if redis.call('EXISTS', key('event:' .. event)) == 0 then return end -- erased with its job, in the midst of the try
redis.call('HSET', key('event:' .. event), 'state', state, 'outcome', outcome, 'tried_at', int(now))
if state == 'pending' then
  redis.call('ZADD', key('events:due'), int(now + delay), event)
else
  redis.call('ZREM', key('events:due'), event)
end
