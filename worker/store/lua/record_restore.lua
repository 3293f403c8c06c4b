-- Restore a record from its copy, unless Redis has it. ARGV: kind (tenant, apikey, endpoint or batch), id, then field, value, ...
-- of the record. Returns 1 if it was restored. The items of a batch are restored later: until then the batch is `recovering`.
local kind, id = unpack(ARGV)
local record = key(kind .. ':' .. id)
if redis.call('EXISTS', record) == 1 then return 0 end
redis.call('HSET', record, unpack(ARGV, 3))
if kind == 'batch' then
  redis.call('HSET', record, 'recovering', 1)
  return 1
end
local index = (kind == 'endpoint' and owner(id) or '') .. kind .. 's'
redis.call('ZADD', key(index), redis.call('HGET', record, 'created_at'), id)
return 1
