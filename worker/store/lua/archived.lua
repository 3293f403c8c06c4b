#!lua flags=allow-oom
-- Take a job off the list of unarchived jobs, because its document is in storage. ARGV: id, 1 if the document is that of
-- an ended job. After the document of an earlier state, a job that has ended meanwhile stays on the list.
-- Returns 0 if there is no such job (any more).
local id, is_of_end = unpack(ARGV)
if redis.call('EXISTS', key('job:' .. id)) == 0 then
  redis.call('ZREM', key('unarchived'), id)
  return 0
end
if is_of_end == '1' or not redis.call('ZSCORE', key('ended'), id) then redis.call('ZREM', key('unarchived'), id) end
return 1
