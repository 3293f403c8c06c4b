#!lua flags=allow-oom
-- Put a job that the reaper found back into its line, unless the job has changed since.
-- ARGV: id, the index where the job was found (leases or delayed), its score there, permit, max_attempts,
-- the error if it has no attempt left, webhook message or '', resend_after. Returns the job's status now, or '' if it has
-- changed.
local id, index, score, permit, max_attempts, err, webhook_message, resend_after = unpack(ARGV)
if redis.call('ZSCORE', key(index), id) ~= score then return '' end

if index == 'leases' then
  if verdict(id) ~= '' or tries(id) >= tonumber(max_attempts) then
    redis.call('HSET', key('job:' .. id), 'error', err)
    return end_job(id, 'failed', webhook_message, resend_after)
  end
  set_status(id, 'queued')
end
redis.call('ZREM', key(index), id)
-- After an internal error the job goes to the end: the error may last, and must not delay other jobs. After a worker's death
-- the job goes to the front.
enqueue(id, permit, index == 'leases')
return 'queued'
