-- Give an endpoint a new secret; the old one stays valid for the overlap. ARGV: id, secret, overlap in microseconds.
-- Returns 0 if there is no such endpoint.
local id, secret, overlap = unpack(ARGV)
local old = redis.call('HGET', key('endpoint:', id), 'secret')
if not old then return 0 end
redis.call('HSET', key('endpoint:', id), 'secret', secret, 'old_secret', old, 'old_secret_until', now + overlap)
mark_unarchived_record('endpoint:' .. id)
return 1
