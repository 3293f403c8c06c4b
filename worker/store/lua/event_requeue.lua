#!lua flags=allow-oom
-- The reaper sends the message of a due event again. ARGV: event id, message, resend_after.
local event, message, resend_after = unpack(ARGV)
local due = redis.call('ZSCORE', key('events:due'), event)
if not due or tonumber(due) > now then return 0 end
redis.call('ZADD', key('events:due'), int(now + resend_after), event)
redis.call('LPUSH', key('q:webhook'), message)
return 1
