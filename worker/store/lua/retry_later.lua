#!lua flags=allow-oom
-- Queue the job of a failed attempt again after a delay; after the last attempt the job fails instead.
-- ARGV: id, attempt, delay in microseconds, max_attempts, error, webhook message or '', resend_after, 1 if the attempt does
-- not count. Returns the job's status now, or '' if the attempt is stale; then field, value, ... of the record of a job that has
-- failed, unless it is ephemeral.
local id, attempt, delay, max_attempts, err, webhook_message, resend_after, is_forgiven = unpack(ARGV)
local job = read_job(id)
if not is_held(job, attempt) then return {''} end
write_job(job, 'error', err)
if is_forgiven == '1' then forgive(job) end
if verdict(job) ~= '' or tries(job) >= tonumber(max_attempts) then
  end_job(job, 'failed', webhook_message, resend_after)
  return with_record(job)
end
set_status(job, 'queued')
redis.call('ZADD', key('delayed'), now + delay, id)
return {'queued'}
