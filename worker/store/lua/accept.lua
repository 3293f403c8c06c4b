-- Nothing, or a record with its place in every index and its message in the queue.
-- ARGV: id, queue, request, message, image or '', the events to notify (`started succeeded`), start_within and run_within
-- in microseconds or '', then, where the same may be submitted again: the key it goes by or '' (then it goes by its id), a fingerprint or '', and
-- the seconds to remember the key; last how many jobs may be queued.
-- Returns the outcome, the id of the job it speaks of, and for `accepted` the time. Otherwise something was accepted
-- before, the `same` or something `other`, or the same and it is `erased`; or no more is accepted now: `full`, and
-- why (`jobs` or `memory`) in place of the id.
local id, queue, request, message, image, notified, start_within, run_within, once, fingerprint, seconds, most = unpack(ARGV)
local record = key('job:' .. id)

if once ~= '' then
  local first = redis.call('HMGET', key('key:' .. once), 'job', 'fingerprint')
  if first[1] then
    if first[2] ~= fingerprint then return {'other', first[1]} end
    if redis.call('EXISTS', key('job:' .. first[1])) == 0 then return {'erased', first[1]} end
    return {'same', first[1]}
  end
end
if redis.call('EXISTS', record) == 1 then
  return {(redis.call('HGET', record, 'fingerprint') or '') == fingerprint and 'same' or 'other', id}
end
-- An id is not used twice: attempts of the job that had it may still be about.
if redis.call('EXISTS', key('erased:' .. id)) == 1 or redis.call('ZSCORE', key('erasing'), id) then return {'erased', id} end

local why = full(most)
if why ~= '' then return {'full', why} end

local newest = redis.call('ZRANGE', key('jobs'), -1, -1, 'WITHSCORES')[2]
if newest and tonumber(newest) >= now then now = tonumber(newest) + 1 end -- no two jobs of one instant: a list has an order

redis.call('HSET', record, 'status', 'queued', 'queue', queue, 'request', request, 'attempt', 0, 'accepted_at', int(now),
  'tell', notified)
redis.call('ZADD', key('jobs'), int(now), id)
redis.call('ZADD', key('jobs:queued'), int(now), id)
if image ~= '' then redis.call('SET', key('input:' .. id), image) end
enqueue(id, message)
if run_within ~= '' then redis.call('HSET', record, 'run_within', run_within) end
if start_within ~= '' then
  redis.call('HSET', record, 'start_by', int(now + start_within))
  redis.call('ZADD', key('deadlines'), int(now + start_within), id)
end
if fingerprint ~= '' then redis.call('HSET', record, 'fingerprint', fingerprint) end
mark_unarchived(id)
if once ~= '' then
  redis.call('HSET', record, 'once', once)
  redis.call('HSET', key('key:' .. once), 'job', id, 'fingerprint', fingerprint)
  redis.call('EXPIRE', key('key:' .. once), seconds)
end
return {'accepted', id, int(now)}
