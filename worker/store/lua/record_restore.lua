-- Restore a record from its copy, unless Redis has it. ARGV: kind (tenant, apikey, endpoint, batch or upload), id, then field, value, ...
-- of the record. Returns 1 if it was restored. The items of a batch are restored later: until then the batch is `recovering`.
local kind, id = unpack(ARGV)
local record = key(kind .. ':' .. id)
if redis.call('EXISTS', record) == 1 then return 0 end
redis.call('HSET', record, unpack(ARGV, 3))
if kind == 'batch' then
  redis.call('HSET', record, 'recovering', 1)
  return 1
end
if kind == 'upload' then
  local size, expires_at = unpack(redis.call('HMGET', record, 'size', 'expires_at'))
  expire_upload(id, math.max(expires_at, now + UPLOAD_HELD)) -- a batch may hold it: the copy does not show that
  count_stored(id, tonumber(size))
end
local is_of_tenant = kind == 'endpoint' or kind == 'upload'
local index = (is_of_tenant and owner(id) or '') .. kind .. 's'
redis.call('ZADD', key(index), redis.call('HGET', record, 'created_at'), id)
return 1
