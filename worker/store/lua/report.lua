#!lua flags=allow-oom
-- Write an event of an attempt to the feed of its job, if the attempt still holds the job. ARGV: id, attempt, type, data as JSON.
local id, attempt, kind, data = unpack(ARGV)
if is_held(read_job(id, 'status', 'attempt'), attempt) then write_to_feed('job:' .. id, kind, id, data) end
