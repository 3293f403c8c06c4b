#!lua flags=allow-oom
-- Its events stay with their jobs; a sender that tries one finds no receiver. ARGV: id. Returns 0 if there is none.
local id = ARGV[1]
for _, event in ipairs(redis.call('LRANGE', key('tests:' .. id), 0, -1)) do forget(event) end
redis.call('DEL', key('tests:' .. id))
redis.call('UNLINK', key('told_to:' .. id))
redis.call('ZREM', key('endpoints'), id)
return redis.call('DEL', key('endpoint:' .. id))
