-- Create an API key. ARGV: id, then field, value, ... of its record.
local id = ARGV[1]
redis.call('HSET', key('apikey:' .. id), 'created_at', int(now), unpack(ARGV, 2))
redis.call('ZADD', key('apikeys'), int(now), id)
