#!lua flags=allow-oom
-- Send the message of a due event again. ARGV: event id, message, resend_after. Returns 0 if the event is not due.
local event, message, resend_after = unpack(ARGV)
local due = redis.call('ZSCORE', key('events:due'), event)
if not due or tonumber(due) > now then return 0 end
send_event(event, message, resend_after)
return 1
