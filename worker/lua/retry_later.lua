-- An attempt gives its job back, to be tried again after a while; after the last attempt the job fails instead.
-- ARGV: id, attempt, delay in microseconds, max_attempts, error, webhook message or '', resend_after.
-- Returns the status that the job has now, or '' to a stale attempt.
local id, attempt, delay, max_attempts, err, webhook_message, resend_after = unpack(ARGV)
if not is_held(id, attempt) then return '' end
redis.call('HSET', key('job:' .. id), 'error', err)
if verdict(id) ~= '' or tries(id) >= tonumber(max_attempts) then
  return close(id, 'failed', webhook_message, resend_after)
end
move(id, 'queued')
redis.call('ZADD', key('delayed'), int(now + delay), id)
return 'queued'
