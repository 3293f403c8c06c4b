#!lua flags=allow-oom
-- Record that an API key is used now, unless that was recorded within the pause before. ARGV: id, pause in microseconds.
local id, pause = unpack(ARGV)
local record = key('apikey:', id)
if redis.call('EXISTS', record) == 0 then return end
local last = redis.call('HGET', record, 'last_used_at')
if not last or tonumber(last) + pause <= now then redis.call('HSET', record, 'last_used_at', now) end
