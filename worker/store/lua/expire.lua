#!lua flags=allow-oom
-- A job that is out of time ends: expired if it was never started, failed if its attempt runs too long, canceled if its
-- attempt does not heed the request.
-- ARGV: id. Returns the status that it has now, or '' where it is in time.
local id = ARGV[1]
local status = redis.call('HGET', key('job:' .. id), 'status')
if (status == 'queued' or status == 'running') and verdict(id) ~= '' then return close(id, 'expired', '') end
return ''
