#!lua flags=allow-oom
-- Delete the record of a tenant that is erased. ARGV: name.
local name = ARGV[1]
redis.call('DEL', key('tenant:', name))
redis.call('ZREM', key('tenants'), name)
mark_unarchived_record('tenant:' .. name)
