#!lua flags=allow-oom
-- Claim the job of a queue that is next for its next attempt, with a lease, and with a deadline if the job has one for each
-- attempt. ARGV: queue, worker, lease in microseconds, 1 to claim only a light job. Returns the job's id, then field, value, ...
-- of its record, and `followed` if it has a feed; only the id if the job should have been started earlier, and the caller must let
-- it expire; or nothing if no such job waits. This script does not end the job: each claim would make the functions for that.
local queue, worker, lease, only_light = unpack(ARGV)
local id = next_job(queue, only_light == '1')
if not id then
  -- If no job waits, the remaining permits are not needed.
  if redis.call('EXISTS', key('waiting:', queue)) == 0 then redis.call('DEL', key('q:', queue)) end
  return {}
end

local job = read_job(id)
if verdict(job) ~= '' then return {id} end
take_turn(job)
local attempt = job.attempt + 1
set_status(job, 'running', 'attempt', tostring(attempt), 'worker', worker, 'started_at', int(now))
redis.call('ZADD', key('leases'), now + lease, id)
if job.run_within then
  write_job(job, 'run_by', int(now + job.run_within))
  redis.call('ZADD', key('deadlines'), now + job.run_within, id)
end
if attempt == tonumber(job.first or 1) then notify(job, 'started', '') end
if redis.call('EXISTS', key('feed:job:', id)) == 1 then job.followed = '1' end
return with_row(id, job)
