#!lua flags=allow-oom
-- Claim an event for one try to deliver it. If the sender dies, the event is due again after the lease.
-- ARGV: event id, lease in microseconds, host, the host's number of places. Returns the event; or nothing if it is not
-- pending, or if the host has no free place: then the event is held, which does not count as a try.
local event, lease, host, places = unpack(ARGV)
local record = key('event:', event)
if redis.call('HGET', record, 'state') ~= 'pending' then return {} end
unhold(event)
if free_places(host, places) < 1 and not redis.call('ZSCORE', key('sending:', host), event) then
  hold(event, host)
  return {}
end
redis.call('HSET', record, 'host', host)
redis.call('HINCRBY', record, 'tries', 1)
redis.call('ZADD', key('sending:', host), now + lease, event)
redis.call('ZADD', key('events:due'), now + lease, event)
return redis.call('HGETALL', record)
