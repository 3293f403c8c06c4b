#!lua flags=allow-oom
-- Record how a try went. ARGV: event id, the number of the try, state (delivered, pending or dead), delay to the next try in
-- microseconds, outcome, a line for the event's log or '', how many lines the log keeps, 1 if the receiver is gone, else 0.
local event, try, state, delay, outcome, line, kept, is_gone = unpack(ARGV)
local record = key('event:', event)
local before, tries, endpoint = unpack(redis.call('HMGET', record, 'state', 'tries', 'endpoint'))
if not before then return end -- it was erased with its job during the try
if line ~= '' and endpoint and redis.call('EXISTS', key('endpoint:', endpoint)) == 1 then
  if state == 'delivered' then
    redis.call('HSET', key('endpoint:', endpoint), 'last_success_at', now)
    redis.call('HDEL', key('endpoint:', endpoint), 'failing_since')
  else
    redis.call('HSET', key('endpoint:', endpoint), 'last_failure_at', now)
    redis.call('HSETNX', key('endpoint:', endpoint), 'failing_since', now)
  end
  if is_gone == '1' then disable(endpoint, 'it ' .. outcome) end
end
if line ~= '' then
  redis.call('LPUSH', key('deliveries:', event), line)
  redis.call('LTRIM', key('deliveries:', event), 0, kept - 1)
end
if before ~= 'pending' then return end -- another sender has delivered it, while this one was considered dead
if try ~= tries and state ~= 'delivered' then return end -- another sender is trying it, or a client asked to redeliver it

unhold(event)
redis.call('HSET', record, 'state', state, 'outcome', outcome)
if state == 'pending' then redis.call('ZADD', key('events:due'), now + delay, event) end
