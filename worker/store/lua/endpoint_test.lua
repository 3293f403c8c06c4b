-- An event of no job, to test the endpoint. ARGV: id, event id, type, message, resend_after, how many are kept.
-- Returns 0 if there is no such endpoint.
local id, event, kind, message, resend_after, kept = unpack(ARGV)
if redis.call('EXISTS', key('endpoint:' .. id)) == 0 then return 0 end
happened(event, kind, message, resend_after, 'endpoint', id)
if redis.call('RPUSH', key('tests:' .. id), event) > tonumber(kept) then
  forget(redis.call('LPOP', key('tests:' .. id)))
end
return 1
