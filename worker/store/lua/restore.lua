-- A job comes back from its document, unless it is there or was erased. ARGV: id, message of a queued job or '', 1 to
-- notify its end again, seconds to remember its key, then field, value, ... of its record. Returns its status, or ''.
local id, message, is_notified_again, seconds = unpack(ARGV)
local record = key('job:' .. id)
if redis.call('EXISTS', record, key('erased:' .. id)) > 0 or redis.call('ZSCORE', key('erasing'), id) then return '' end

redis.call('HSET', record, unpack(ARGV, 5))
local status, accepted_at, completed_at, start_by, once, fingerprint = unpack(redis.call('HMGET', record,
  'status', 'accepted_at', 'completed_at', 'start_by', 'once', 'fingerprint'))
redis.call('ZADD', key('jobs'), accepted_at, id)
redis.call('ZADD', key('jobs:' .. status), accepted_at, id)
if status == 'queued' then
  enqueue(id, message)
  if start_by then redis.call('ZADD', key('deadlines'), start_by, id) end
else
  redis.call('ZADD', key('ended'), completed_at, id)
  if is_notified_again == '1' then notify(id, status, '') end
end
if once and tonumber(seconds) > 0 and redis.call('EXISTS', key('key:' .. once)) == 0 then
  redis.call('HSET', key('key:' .. once), 'job', id, 'fingerprint', fingerprint)
  redis.call('EXPIRE', key('key:' .. once), seconds)
end
return status
