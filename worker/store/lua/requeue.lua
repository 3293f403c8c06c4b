#!lua flags=allow-oom
-- Put a job that the reaper found back into its line, unless the job has changed since.
-- ARGV: id, the index where the job was found (leases or delayed), its score there, permit, max_attempts,
-- the error if it has no attempt left, webhook message or '', resend_after. Returns the job's status now, or '' if it has
-- changed.
local id, index, score, permit, max_attempts, err, webhook_message, resend_after = unpack(ARGV)
if redis.call('ZSCORE', key(index), id) ~= score then return '' end

local job = read_job(id)
if index == 'leases' then
  if verdict(job) ~= '' or tries(job) >= tonumber(max_attempts) then
    return end_job(job, 'failed', webhook_message, resend_after, 'error', err)
  end
  set_status(job, 'queued')
end
redis.call('ZREM', key(index), id)
-- After an internal error the job goes to the end: the error may last, and must not delay other jobs. After a worker's death
-- the job goes to the front.
enqueue(job, permit, index == 'leases')
return 'queued'
