#!lua flags=allow-oom
-- Take a record off the list of unarchived records, because its copy is in storage, unless it has changed meanwhile.
-- ARGV: name, its score in the list when the record was read.
local name, listed_at = unpack(ARGV)
local score = redis.call('ZSCORE', key('unarchived_records'), name)
if score and int(tonumber(score)) == listed_at then redis.call('ZREM', key('unarchived_records'), name) end
