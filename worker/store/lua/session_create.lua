-- Create a session of a browser. ARGV: its digest, the id of the API key that it stands for, the hash of the key's secret, how
-- long the session lasts in microseconds, and the maximum number of sessions of a key: beyond it, the oldest ones end. Returns
-- when the session ends.
local digest, key_id, secret_hash, lifetime, maximum = unpack(ARGV)
local expires_at = int(now + lifetime)
local record, of_key = key('session:', digest), key('sessions:', key_id)
redis.call('HSET', record, 'key_id', key_id, 'secret_hash', secret_hash, 'expires_at', expires_at)
redis.call('PEXPIRE', record, math.ceil(lifetime / 1000))
redis.call('ZADD', of_key, int(now), digest)
for _, oldest in ipairs(redis.call('ZRANGE', of_key, 0, -1 - maximum)) do
  redis.call('DEL', key('session:', oldest))
  redis.call('ZREM', of_key, oldest)
end
redis.call('PEXPIRE', of_key, math.max(math.ceil(lifetime / 1000), redis.call('PTTL', of_key)))
return expires_at
