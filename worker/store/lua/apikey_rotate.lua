-- Give an API key a new secret; the old one stays live for the overlap. ARGV: id, hash of the new secret, overlap in
-- microseconds. Returns 0 if there is no such key, or if it is revoked.
local id, hash, overlap = unpack(ARGV)
local record = key('apikey:', id)
local old, revoked_at = unpack(redis.call('HMGET', record, 'hash', 'revoked_at'))
if not old or revoked_at then return 0 end
redis.call('HSET', record, 'hash', hash, 'old_hash', old, 'old_secret_until', now + overlap)
mark_unarchived_record('apikey:' .. id)
return 1
