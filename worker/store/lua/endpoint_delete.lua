#!lua flags=allow-oom
-- Delete an endpoint. Its events stay with their jobs; a sender that tries one of them finds no receiver.
-- ARGV: id. Returns 0 if there is no such endpoint.
local id = ARGV[1]
for _, event in ipairs(redis.call('LRANGE', key('tests:', id), 0, -1)) do delete_event(event) end
redis.call('DEL', key('tests:', id))
redis.call('UNLINK', key('told_to:', id))
redis.call('ZREM', key(owner(id) .. 'endpoints'), id)
mark_unarchived_record('endpoint:' .. id)
return redis.call('DEL', key('endpoint:', id))
