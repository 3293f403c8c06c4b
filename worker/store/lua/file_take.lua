#!lua flags=allow-oom
-- Take the file that a worker must make next. Returns its job, a space and its name; nothing if none waits.
local file = redis.call('ZPOPMIN', key('asked_files'))[1]
if not file then return nil end
local owner = tenant(file)
if redis.call('HINCRBY', key('asked_counts'), owner, -1) <= 0 then redis.call('HDEL', key('asked_counts'), owner) end
return file
