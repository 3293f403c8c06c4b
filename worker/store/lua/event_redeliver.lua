-- Deliver an event again, whatever has become of it. ARGV: event id, message, resend_after. Returns 0 if there is none.
local event, message, resend_after = unpack(ARGV)
if redis.call('EXISTS', key('event:' .. event)) == 0 then return 0 end
unhold(event)
redis.call('HSET', key('event:' .. event), 'state', 'pending', 'tries', 0)
redis.call('ZADD', key('events:due'), int(now + resend_after), event)
redis.call('LPUSH', key('q:webhook'), message)
return 1
