-- A job ends as its attempt says, if the job is still that attempt's.
-- ARGV: id, attempt, succeeded or failed, webhook message or '', resend_after, then field, value, ... of the record.
-- Returns 1, or 0 to a stale attempt, whose word no longer counts.
local id, attempt, to, webhook_message, resend_after = unpack(ARGV)
if not is_held(id, attempt) then return 0 end
redis.call('HSET', key('job:' .. id), unpack(ARGV, 6))
close(id, to, webhook_message, resend_after)
return 1
