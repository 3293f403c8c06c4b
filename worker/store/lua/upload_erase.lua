#!lua flags=allow-oom
-- Erase the record of an upload whose file was deleted. ARGV: id, the time at which its erasure was due, in microseconds. Does
-- nothing if it is due at another time now.
local id, due_at = unpack(ARGV)
local score = redis.call('ZSCORE', key('uploads:due'), id)
if not score or int(tonumber(score)) ~= due_at then return end
local size, deleted_at = unpack(redis.call('HMGET', key('upload:', id), 'size', 'deleted_at'))
if size and not deleted_at then count_stored(id, -size) end
redis.call('DEL', key('upload:', id))
for _, index in ipairs({owner(id) .. 'uploads', 'uploads:due'}) do redis.call('ZREM', key(index), id) end
