#!lua flags=allow-oom
-- Renew the leases of the jobs that a worker is running.
-- ARGV: lease in microseconds, then id, attempt, id, attempt, ... Returns the attempts that should stop, as id/attempt,
-- why, id/attempt, why, ...: `lost` if the attempt no longer holds the job, or the verdict; and `followed` for an attempt
-- that may continue and whose job has a feed.
local lease = ARGV[1]
local stop = {}
for i = 2, #ARGV, 2 do
  local id, attempt = ARGV[i], ARGV[i + 1]
  local why, job = 'lost', read_job(id, 'status', 'attempt', 'cancel_requested_at', 'run_by', 'start_by')
  if is_held(job, attempt) then
    redis.call('ZADD', key('leases'), 'XX', now + lease, id)
    why = verdict(job)
    if why == '' and redis.call('EXISTS', key('feed:job:', id)) == 1 then why = 'followed' end
  end
  if why ~= '' then
    stop[#stop + 1] = id .. '/' .. attempt
    stop[#stop + 1] = why
  end
end
return stop
