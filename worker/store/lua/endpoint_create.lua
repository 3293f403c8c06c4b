-- ARGV: id, how many there may be, why it is disabled or '', then field, value, ... of the record. Returns 0 where there are so many already.
local id, most, why = unpack(ARGV)
if redis.call('ZCARD', key('endpoints')) >= tonumber(most) then return 0 end
redis.call('HSET', key('endpoint:' .. id), 'created_at', int(now), unpack(ARGV, 4))
redis.call('ZADD', key('endpoints'), int(now), id)
if why ~= '' then disable(id, why) end
return 1
