#!lua flags=allow-oom
-- Hide an upload. Its record stays until `upload_erase`. ARGV: id. Returns 1; 0 if there is no such upload.
local id = ARGV[1]
local size, deleted_at = unpack(redis.call('HMGET', key('upload:', id), 'size', 'deleted_at'))
if not size or deleted_at then return 0 end
redis.call('HSET', key('upload:', id), 'deleted_at', now)
redis.call('ZREM', key(owner(id) .. 'uploads'), id)
count_stored(id, -size)
return 1
