-- Deliver an event again, regardless of its state. ARGV: event id, message, resend_after. Returns 0 if there is no
-- such event.
local event, message, resend_after = unpack(ARGV)
if redis.call('EXISTS', key('event:', event)) == 0 then return 0 end
unhold(event)
redis.call('HSET', key('event:', event), 'state', 'pending', 'tries', 0)
send_event(event, message, resend_after)
return 1
