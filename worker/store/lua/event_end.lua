#!lua flags=allow-oom
-- How a try went. ARGV: event id, the number of the try, state (delivered, pending or dead), delay to the next try in
-- microseconds, outcome, a line for its log or '', how many lines are kept, whether the receiver is gone (1 or 0).
local event, try, state, delay, outcome, line, kept, is_gone = unpack(ARGV)
local record = key('event:' .. event)
local before, tries, endpoint = unpack(redis.call('HMGET', record, 'state', 'tries', 'endpoint'))
if not before then return end -- erased with its job, in the midst of the try
if line ~= '' and endpoint and redis.call('EXISTS', key('endpoint:' .. endpoint)) == 1 then
  if state == 'delivered' then
    redis.call('HSET', key('endpoint:' .. endpoint), 'last_success_at', int(now))
    redis.call('HDEL', key('endpoint:' .. endpoint), 'failing_since')
  else
    redis.call('HSET', key('endpoint:' .. endpoint), 'last_failure_at', int(now))
    redis.call('HSETNX', key('endpoint:' .. endpoint), 'failing_since', int(now))
  end
  if is_gone == '1' then disable(endpoint, 'it ' .. outcome) end
end
if line ~= '' then
  redis.call('LPUSH', key('deliveries:' .. event), line)
  redis.call('LTRIM', key('deliveries:' .. event), 0, kept - 1)
end
if before ~= 'pending' then return end -- delivered by another sender, while this one was taken for dead
if try ~= tries and state ~= 'delivered' then return end -- another sender is trying it, or it was asked for again

unhold(event)
redis.call('HSET', record, 'state', state, 'outcome', outcome)
if state == 'pending' then redis.call('ZADD', key('events:due'), int(now + delay), event) end
