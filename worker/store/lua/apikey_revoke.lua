#!lua flags=allow-oom
-- Revoke an API key. The record stays: it shows when the key was revoked. ARGV: id. Returns 0 if there is no such key.
local record = key('apikey:', ARGV[1])
if redis.call('EXISTS', record) == 0 then return 0 end
redis.call('HSETNX', record, 'revoked_at', now)
mark_unarchived_record('apikey:' .. ARGV[1])
return 1
