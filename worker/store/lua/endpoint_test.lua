-- Write a test event of an endpoint, which belongs to no job. ARGV: id, event id, type, message, resend_after, how many test
-- events an endpoint keeps.
-- Returns 0 if there is no such endpoint.
local id, event, kind, message, resend_after, kept = unpack(ARGV)
if redis.call('EXISTS', key('endpoint:', id)) == 0 then return 0 end
write_event(event, kind, message, resend_after, 'endpoint', id)
if redis.call('RPUSH', key('tests:', id), event) > tonumber(kept) then
  delete_event(redis.call('LPOP', key('tests:', id)))
end
return 1
