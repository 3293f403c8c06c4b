#!lua flags=allow-oom
-- End a job that has exceeded a deadline: as expired if no attempt started in time, as failed if its attempt runs too long,
-- as canceled if its attempt did not respond to a cancel request.
-- ARGV: id. Returns the job's status now, or '' if it has exceeded no deadline.
local job = read_job(ARGV[1])
if job and (job.status == 'queued' or job.status == 'running') and verdict(job) ~= '' then
  return end_job(job, 'expired', '')
end
return ''
