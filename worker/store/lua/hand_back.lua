#!lua flags=allow-oom
-- Put the unfinished job of a worker that must stop at the front of its line, without a delay; the attempt does not count.
-- ARGV: id, attempt, permit. Returns the job's status now, or '' if the attempt is stale.
local id, attempt, permit = unpack(ARGV)
local job = read_job(id)
if not is_held(job, attempt) then return '' end
if verdict(job) ~= '' then return end_job(job, 'canceled', '') end
set_status(job, 'queued')
forgive(job)
enqueue(job, permit, true)
return 'queued'
