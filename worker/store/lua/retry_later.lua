#!lua flags=allow-oom
-- Queue the job of a failed attempt again after a delay; after the last attempt the job fails instead.
-- ARGV: id, attempt, delay in microseconds, max_attempts, error, webhook message or '', resend_after, 1 if the attempt does
-- not count. Returns the job's status now, or '' if the attempt is stale; then field, value, ... of the record of a job that has
-- failed, unless it is ephemeral.
local id, attempt, delay, max_attempts, err, webhook_message, resend_after, is_forgiven = unpack(ARGV)
if not is_held(id, attempt) then return {''} end
redis.call('HSET', key('job:' .. id), 'error', err)
if is_forgiven == '1' then redis.call('HINCRBY', key('job:' .. id), 'forgiven', 1) end
if verdict(id) ~= '' or tries(id) >= tonumber(max_attempts) then
  return with_record(id, end_job(id, 'failed', webhook_message, resend_after))
end
set_status(id, 'queued')
redis.call('ZADD', key('delayed'), int(now + delay), id)
return {'queued'}
