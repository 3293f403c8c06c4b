-- Change fields of the record of a tenant or an API key. ARGV: the record's key, such as `tenant:acme`, then field, value, ...;
-- the value '' removes a field. Returns 0 if there is no such record.
local record = key(ARGV[1])
if redis.call('EXISTS', record) == 0 then return 0 end
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', record, ARGV[i]) else redis.call('HSET', record, ARGV[i], ARGV[i + 1]) end
end
mark_unarchived_record(ARGV[1])
return 1
