-- Claim an event for one try to deliver it. ARGV: event id, lease in microseconds.
-- Returns the event, or nothing where it is over. Tried again after the lease if its sender is never heard of again.
local event, lease = unpack(ARGV)
local record = key('event:' .. event)
if redis.call('HGET', record, 'state') ~= 'pending' then return {} end
redis.call('HINCRBY', record, 'tries', 1)
redis.call('ZADD', key('events:due'), int(now + lease), event)
return redis.call('HGETALL', record)
