-- Make an upload, unless a limit of its tenant does not allow it. ARGV: id, content type, size in bytes, microseconds until it
-- expires, the maximum number of uploads of a tenant, the maximum number of stored bytes of a tenant without a limit of its own
-- or ''.
-- Returns `created`, then field, value, ... of the record; `full`: Redis's memory is nearly full; `exceeded`, then the name of
-- the limit, its value, and what is left of it.
local id, content_type, size, lifetime, max_uploads, max_stored_bytes = unpack(ARGV)
local index = key(owner(id) .. 'uploads')
if memory_used() >= FILLED_BY_SUBMISSIONS then return {'full'} end
if redis.call('ZCARD', index) >= tonumber(max_uploads) then return {'exceeded', 'uploads', tonumber(max_uploads), 0} end
local own_bytes = redis.call('HGET', key('tenant:', tenant(id)), 'max_stored_bytes')
local limit, left = stored_exceeded(id, own_bytes or max_stored_bytes, tonumber(size))
if limit then return {'exceeded', 'stored-bytes', limit, left} end

redis.call('HSET', key('upload:', id), 'content_type', content_type, 'size', size, 'created_at', now)
expire_upload(id, now + lifetime)
redis.call('ZADD', index, now, id)
count_stored(id, tonumber(size))
return {'created', unpack(redis.call('HGETALL', key('upload:', id)))}
