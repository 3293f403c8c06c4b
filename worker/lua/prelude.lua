-- Stands before every script. A script is the only way a job changes its state: it runs alone, on Redis's own clock.
--
-- KEYS[1] is the prefix of all keys. The scripts name their keys themselves, so they want one Redis, not a cluster;
-- Celery's queues want that anyway.
--
--   job:<id>       hash    the record; its `status` is the truth
--   input:<id>     string  its image, until that is in object storage
--   key:<key>      hash    the job that was accepted under an idempotency key, and its fingerprint; for a while
--   erased:<id>    string  there was a job of this id; for a while
--   jobs           zset    every job by accepted_at, newest last
--   jobs:<status>  zset    the same, of one status
--   waiting:<q>    zset    queued jobs by enqueued_at: their message should be in the queue q
--   delayed        zset    queued jobs that wait for their next try, by when it is due
--   leases         zset    running jobs by when their lease ends
--   deadlines      zset    jobs by when they are ended if need be: before their first start by start_by; while they run by
--                          run_by, or some time after a cancel request
--   ended          zset    final jobs by completed_at
--   erasing        zset    ids of erased jobs whose files are still to go, by when the reaper sees to it
--   unarchived     zset    jobs whose document is not in storage as they are now, by when the reaper sees to it
--   event:<id>     hash    a webhook event, its id fixed with the change of state that it tells
--   deliveries:<e> list    the last tries of an event, newest first
--   told:<id>      list    the events of a job, oldest first
--   events:due     zset    events not yet delivered, by when they should be tried
--   q:<queue>      list    Celery's messages

local function key(name) return KEYS[1] .. name end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] -- microseconds; exact in a double until the year 2255
local function int(number) return string.format('%.0f', number) end

-- Who accepts or ends a job writes its document right after; a reaper does where that did not happen.
local ARCHIVED_WITHIN = 5 * 1000000
local function archive(id) redis.call('ZADD', key('unarchived'), int(now + ARCHIVED_WITHIN), id) end

local TIMEOUT = cjson.encode({
  code = 'timeout', message = 'the attempt ran longer than deadline.run_within_s allows', field = 'deadline.run_within_s',
})

-- Out of every index that says what a job waits for.
local function release(id)
  local queue = redis.call('HGET', key('job:' .. id), 'queue')
  for _, index in ipairs({'waiting:' .. queue, 'delayed', 'leases', 'deadlines'}) do
    redis.call('ZREM', key(index), id)
  end
end

-- Into another status. A deadline of the one that it leaves is kept or missed by now, and binds no longer.
local function move(id, to)
  local record = redis.call('HMGET', key('job:' .. id), 'status', 'accepted_at')
  release(id)
  redis.call('ZREM', key('jobs:' .. record[1]), id)
  redis.call('ZADD', key('jobs:' .. to), record[2], id)
  redis.call('HDEL', key('job:' .. id), 'start_by', 'run_by')
  redis.call('HSET', key('job:' .. id), 'status', to)
end

local function enqueue(id, message)
  local queue = redis.call('HGET', key('job:' .. id), 'queue')
  redis.call('LPUSH', key('q:' .. queue), message)
  redis.call('ZADD', key('waiting:' .. queue), int(now), id)
end

-- Before all others: who was begun once has waited already. It counts as waiting longest, so that the place of its
-- message in the queue says nothing false of those behind it.
local function enqueue_first(id, message)
  local waiting = key('waiting:' .. redis.call('HGET', key('job:' .. id), 'queue'))
  local longest = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
  redis.call('RPUSH', key('q:' .. redis.call('HGET', key('job:' .. id), 'queue')), message)
  redis.call('ZADD', waiting, int(longest and math.min(now, longest - 1) or now), id)
end

-- A running job is held by the attempt that its record names; the number of the attempt is the fencing token.
local function is_held(id, attempt)
  local record = redis.call('HMGET', key('job:' .. id), 'status', 'attempt')
  return record[1] == 'running' and record[2] == attempt
end

-- How many attempts count against the limit: not those that a worker handed back because it was told to stop.
local function tries(id)
  local record = redis.call('HMGET', key('job:' .. id), 'attempt', 'forgiven')
  return record[1] - (record[2] or 0)
end

-- What is decided over a job that has not ended, whatever its attempt says: canceled (its caller asked for that),
-- timeout (the attempt ran too long), expired (it was not started in time), or '' for nothing.
local function verdict(id)
  local record = redis.call('HMGET', key('job:' .. id), 'cancel_requested_at', 'run_by', 'start_by')
  local cancel_requested_at, run_by, start_by = unpack(record)
  if cancel_requested_at then return 'canceled' end
  if run_by and tonumber(run_by) <= now then return 'timeout' end
  if start_by and tonumber(start_by) <= now then return 'expired' end
  return ''
end

-- Where someone wants to be told what has become of a job (started, or its final status), the event is written in the
-- same instant: a state that was reached is a state that will be told. Without its message it is due at once, and the
-- reaper sends it.
local function tell(id, what, message, resend_after)
  local wanted = redis.call('HGET', key('job:' .. id), 'tell') or ''
  if not string.find(' ' .. wanted .. ' ', ' ' .. what .. ' ', 1, true) then return end
  local event = 'evt_' .. id .. '_' .. what
  redis.call('HSET', key('event:' .. event), 'job', id, 'type', 'job.' .. what, 'state', 'pending', 'tries', 0,
    'created_at', int(now))
  redis.call('RPUSH', key('told:' .. id), event)
  if message == '' then
    redis.call('ZADD', key('events:due'), int(now), event)
  else
    redis.call('ZADD', key('events:due'), int(now + resend_after), event)
    redis.call('LPUSH', key('q:webhook'), message)
  end
end

-- The end of a job, once and for ever: as was decided, else as the caller says. Returns the status that it has now.
-- `message` tells of the status `to` and may be ''.
local function close(id, to, message, resend_after)
  local decided = verdict(id)
  if decided ~= '' then
    to, message = decided, ''
    redis.call('HDEL', key('job:' .. id), 'files_prefix')
  end
  if decided == 'timeout' then
    to = 'failed'
    redis.call('HSET', key('job:' .. id), 'error', TIMEOUT)
  end
  move(id, to)
  redis.call('HSET', key('job:' .. id), 'completed_at', int(now))
  redis.call('ZADD', key('ended'), int(now), id)
  redis.call('DEL', key('input:' .. id))
  archive(id)
  tell(id, to, message, resend_after)
  redis.call('PUBLISH', key('done'), id)
  return to
end
