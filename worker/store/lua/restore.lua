-- Restore a job from its document, unless Redis has the job or it was erased. ARGV: id, permit if the job is queued or '',
-- 1 to notify its end again, seconds for which its idempotency key is remembered, then field, value, ... of its record.
-- Returns the job's status; '' if Redis has the job, or `erased`.
local id, permit, is_notified_again, seconds = unpack(ARGV)
local record = key('job:', id)
if redis.call('EXISTS', record) == 1 then return '' end
if is_erased(id) then return 'erased' end

redis.call('HSET', record, unpack(ARGV, 5))
local job = read_job(id)
local status, accepted_at, completed_at, once, batch = job.status, job.accepted_at, job.completed_at, job.once, job.batch
redis.call('ZADD', key(owner(id) .. 'jobs'), accepted_at, id)
if batch then
  redis.call('ZADD', key('batch_jobs:', batch), accepted_at, id)
  count_in_batch(batch, id, nil, status)
end
count_stored(id, stored_bytes(id))
count_usage(id, accepted_at, 'accepted')
if completed_at then count_usage(id, completed_at, status, job.work) end
redis.call('ZADD', key(owner(id) .. 'jobs:' .. status), accepted_at, id)
if status == 'queued' then
  job.lane = nil -- the lane that it has now may be another
  enqueue(job, permit)
  if job.start_by then redis.call('ZADD', key('deadlines'), job.start_by, id) end
else
  redis.call('ZADD', key('ended'), completed_at, id)
  if is_notified_again == '1' then notify(job, status, '') end
end
if once and tonumber(seconds) > 0 and redis.call('EXISTS', key('key:', once)) == 0 then
  remember(once, id, job.fingerprint, seconds)
end
return status
