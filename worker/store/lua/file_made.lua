#!lua flags=allow-oom
-- Count the bytes of a file that was made for a job. ARGV: job, name of the file, bytes. Returns 1; 0 if there is no such job.
local id, name, bytes = unpack(ARGV)
redis.call('DEL', key('asked:' .. id .. ' ' .. name))
if redis.call('EXISTS', key('job:', id)) == 0 then return 0 end
redis.call('HINCRBY', key('job:', id), 'input_bytes', bytes)
count_stored(id, tonumber(bytes))
mark_unarchived(id)
return 1
