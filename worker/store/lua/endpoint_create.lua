-- Create an endpoint. ARGV: id, how many endpoints its tenant may have, the reason why it is disabled or '', then field, value, ...
-- of its record. Returns 0 if there are that many already.
local id, limit, why = unpack(ARGV)
if redis.call('ZCARD', key(owner(id) .. 'endpoints')) >= tonumber(limit) then return 0 end
redis.call('HSET', key('endpoint:', id), 'created_at', now, unpack(ARGV, 4))
redis.call('ZADD', key(owner(id) .. 'endpoints'), now, id)
mark_unarchived_record('endpoint:' .. id)
if why ~= '' then disable(id, why) end
return 1
