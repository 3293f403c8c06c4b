#!lua flags=allow-oom
-- The document of a job is in storage. ARGV: id, 1 if it is that of its end. One of an earlier state leaves a job that has
-- ended since on the list. Returns 0 where there is no such job (any more).
local id, is_of_end = unpack(ARGV)
if redis.call('EXISTS', key('job:' .. id)) == 0 then
  redis.call('ZREM', key('unarchived'), id)
  return 0
end
if is_of_end == '1' or not redis.call('ZSCORE', key('ended'), id) then redis.call('ZREM', key('unarchived'), id) end
return 1
