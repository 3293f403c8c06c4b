#!lua flags=allow-oom
-- Delete an API key, whose tenant is erased. ARGV: id.
local id = ARGV[1]
redis.call('DEL', key('apikey:', id))
redis.call('ZREM', key('apikeys'), id)
mark_unarchived_record('apikey:' .. id)
