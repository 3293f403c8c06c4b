#!lua flags=allow-oom
-- End a job that has exceeded a deadline: as expired if no attempt started in time, as failed if its attempt runs too long,
-- as canceled if its attempt did not respond to a cancel request.
-- ARGV: id. Returns the job's status now, or '' if it has exceeded no deadline.
local id = ARGV[1]
local status = redis.call('HGET', key('job:' .. id), 'status')
if (status == 'queued' or status == 'running') and verdict(id) ~= '' then return end_job(id, 'expired', '') end
return ''
