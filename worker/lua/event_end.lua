-- How a try went. ARGV: event id, the number of the try, state (delivered, pending or dead), delay to the next try in
-- microseconds, outcome, a line for its log or '', how many lines are kept.
local event, try, state, delay, outcome, line, kept = unpack(ARGV)
local record = key('event:' .. event)
local before, tries = unpack(redis.call('HMGET', record, 'state', 'tries'))
if not before then return end -- erased with its job, in the midst of the try
if line ~= '' then
  redis.call('LPUSH', key('deliveries:' .. event), line)
  redis.call('LTRIM', key('deliveries:' .. event), 0, kept - 1)
end
if before ~= 'pending' then return end -- told by another sender, while this one was taken for dead
if try ~= tries and state ~= 'delivered' then return end -- another has it in hand, or it was asked for again

redis.call('HSET', record, 'state', state, 'outcome', outcome)
if state == 'pending' then
  redis.call('ZADD', key('events:due'), int(now + delay), event)
else
  redis.call('ZREM', key('events:due'), event)
end
