-- Change an endpoint. ARGV: id, the reason to disable it ('' enables it, '-' changes neither), then field, value, ... of
-- its record. Returns 0 if there is no such endpoint.
local id, why = unpack(ARGV)
if redis.call('EXISTS', key('endpoint:', id)) == 0 then return 0 end
if why == '' then enable(id) elseif why ~= '-' then disable(id, why) end
if #ARGV > 2 then redis.call('HSET', key('endpoint:', id), unpack(ARGV, 3)) end
mark_unarchived_record('endpoint:' .. id)
return 1
