#!lua flags=allow-oom
-- Claim an event for one try to deliver it. ARGV: event id, lease in microseconds, host, how many tries it gets at a time.
-- Returns the event, or nothing where it is over, or is held until there is a place; that is no try.
-- Tried again after the lease if its sender is never heard of again.
local event, lease, host, places = unpack(ARGV)
local record = key('event:' .. event)
if redis.call('HGET', record, 'state') ~= 'pending' then return {} end
unhold(event)
if free_places(host, places) < 1 and not redis.call('ZSCORE', key('sending:' .. host), event) then
  hold(event, host)
  return {}
end
redis.call('HSET', record, 'host', host)
redis.call('HINCRBY', record, 'tries', 1)
redis.call('ZADD', key('sending:' .. host), int(now + lease), event)
redis.call('ZADD', key('events:due'), int(now + lease), event)
return redis.call('HGETALL', record)
