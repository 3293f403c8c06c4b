#!lua flags=allow-oom
-- Cancel a job. A queued job is canceled immediately. A running job is marked, and is canceled when its attempt next renews
-- its lease or ends. If the attempt does neither within the grace period, the reaper ends the job.
-- ARGV: id, grace period in microseconds. Returns the job's status now, or '' if there is no such job.
local id, grace = unpack(ARGV)
local job = read_job(id)
if not job then return '' end
if job.status == 'queued' then return end_job(job, 'canceled', '') end
if job.status == 'running' and redis.call('HSETNX', key('job:', id), 'cancel_requested_at', now) == 1 then
  redis.call('ZADD', key('deadlines'), 'LT', now + grace, id)
end
return job.status
