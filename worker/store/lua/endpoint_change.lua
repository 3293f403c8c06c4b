-- ARGV: id, why it is disabled ('' enables it, '-' leaves that as it is), then field, value, ... of the record.
-- Returns 0 if there is none.
local id, why = unpack(ARGV)
if redis.call('EXISTS', key('endpoint:' .. id)) == 0 then return 0 end
if why == '' then enable(id) elseif why ~= '-' then disable(id, why) end
if #ARGV > 2 then redis.call('HSET', key('endpoint:' .. id), unpack(ARGV, 3)) end
return 1
