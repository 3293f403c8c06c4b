-- A new secret; the one before it is live for a while yet. ARGV: id, secret, that while in microseconds.
-- Returns 0 if there is none.
local id, secret, overlap = unpack(ARGV)
local old = redis.call('HGET', key('endpoint:' .. id), 'secret')
if not old then return 0 end
redis.call('HSET', key('endpoint:' .. id), 'secret', secret, 'old_secret', old, 'old_secret_until', int(now + overlap))
return 1
