-- Precedes every script. A script whose first line is `#!lua flags=allow-oom` also runs when Redis is out of memory: it
-- ends a job, erases one or records an event, and adds little. Scripts without that line add data, and are refused then.
--
-- A script is the only way a job changes its state: it runs alone, on Redis's own clock.
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
--   endpoint:<id>  hash    a receiver of events of every job; never without `disabled_at` while it is disabled
--   endpoints      zset    every endpoint by created_at, oldest first
--   tests:<e>      list    the last test events of an endpoint, oldest first
--   event:<id>     hash    a webhook event, its id fixed with the change of state that it reports
--   deliveries:<e> list    the last tries of an event, newest first
--   told:<id>      list    the events of a job, oldest first
--   told_to:<e>    zset    the events of jobs for an endpoint, by when they happened
--   events:due     zset    events not yet delivered, by when they should be tried; but for those that are held
--   sending:<host> zset    events with a place in the tries to one host, by when the place is free again at the latest
--   held:<host>    zset    events that wait for such a place, by since when
--   held           set     hosts where some may wait
--   silent:<host>  string  the last try there got no answer; for a while
--   q:<queue>      list    Celery's messages
--   workers        zset    workers that live, by when they are taken for dead, in seconds
--   embedding:<k>  hash    `maker`: the worker that is making it; `wanted`: others asked for it; for a while
--   embeddings     zset    embeddings that are in storage, by when they were last used
--   embedding_sizes hash   their bytes
--   embedding_bytes string the sum of these
--   counts         hash    what has happened how often, for metrics

local function key(name) return KEYS[1] .. name end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] -- microseconds; exact in a double until the year 2255
local function int(number) return string.format('%.0f', number) end

-- The process that accepts or ends a job writes its document right after. After this time a reaper does.
local ARCHIVED_WITHIN = 5 * 1000000
local function mark_unarchived(id) redis.call('ZADD', key('unarchived'), int(now + ARCHIVED_WITHIN), id) end

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

-- Write an event, with its message or without: then it is due at once, and the reaper sends the message. Its job or its
-- endpoint or both follow as field, value, ...
local function happened(event, kind, message, resend_after, ...)
  redis.call('HSET', key('event:' .. event), 'type', kind, 'state', 'pending', 'tries', 0, 'created_at', int(now), ...)
  if message == '' then
    redis.call('ZADD', key('events:due'), int(now), event)
  else
    redis.call('ZADD', key('events:due'), int(now + resend_after), event)
    redis.call('LPUSH', key('q:webhook'), message)
  end
end

-- It waits for a place in the tries to a host.
local function hold(event, host)
  redis.call('HSET', key('event:' .. event), 'host', host)
  redis.call('ZADD', key('held:' .. host), int(now), event)
  redis.call('SADD', key('held'), host)
end

-- Out of every index that says what an event waits for.
local function unhold(event)
  redis.call('ZREM', key('events:due'), event)
  local host = redis.call('HGET', key('event:' .. event), 'host')
  if host then redis.call('ZREM', key('held:' .. host), event) end
end

local function forget(event)
  unhold(event)
  local endpoint = redis.call('HGET', key('event:' .. event), 'endpoint')
  if endpoint then redis.call('ZREM', key('told_to:' .. endpoint), event) end
  redis.call('DEL', key('event:' .. event), key('deliveries:' .. event))
end

-- How many more events may be tried at a host now. One that was silent is tried by one at a time, until it answers.
local function free_places(host, places)
  redis.call('ZREMRANGEBYSCORE', key('sending:' .. host), '-inf', int(now))
  if redis.call('EXISTS', key('silent:' .. host)) == 1 then places = 1 end
  return places - redis.call('ZCARD', key('sending:' .. host))
end

-- Give each free place of a host to the event that waits longest, keep it for a while, and make the event due now.
-- Returns these events.
local function admit(host, places, keep)
  local admitted = {}
  for _ = 1, free_places(host, places) do
    local event = redis.call('ZPOPMIN', key('held:' .. host))[1]
    if not event then
      redis.call('SREM', key('held'), host)
      break
    end
    redis.call('ZADD', key('sending:' .. host), int(now + keep), event)
    redis.call('ZADD', key('events:due'), int(now), event)
    admitted[#admitted + 1] = event
  end
  return admitted
end

-- Of Redis's memory, what submissions may fill. The rest is for what empties it: claims, results, events, and the copies
-- that Celery keeps of messages until they are done.
local FILLED_BY_SUBMISSIONS = 0.9

-- How much of Redis's memory is in use, 0 to 1; 0 without a `maxmemory`. The arguments of this call are counted in.
local function memory_used()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return 0 end -- some hosts forbid it
  local function bytes(name) return tonumber(string.match(info, '\n' .. name .. ':(%d+)') or 0) end
  local most = bytes('maxmemory')
  if most == 0 then return 0 end
  return (bytes('used_memory') - bytes('mem_not_counted_for_evict')) / most
end

-- Why no more jobs are accepted: `jobs`, so many are queued; `memory`; or ''.
local function full(most_queued)
  if redis.call('ZCARD', key('jobs:queued')) >= tonumber(most_queued) then return 'jobs' end
  if memory_used() >= FILLED_BY_SUBMISSIONS then return 'memory' end
  return ''
end

local function count(what) redis.call('HINCRBY', key('counts'), what, 1) end

local function enable(endpoint)
  redis.call('HDEL', key('endpoint:' .. endpoint), 'disabled_at', 'disabled_reason', 'failing_since')
end

local function disable(endpoint, why)
  if redis.call('HSETNX', key('endpoint:' .. endpoint), 'disabled_at', int(now)) == 1 then
    redis.call('HSET', key('endpoint:' .. endpoint), 'disabled_reason', why)
  end
end

local function wants(chosen, what)
  return chosen and string.find(' ' .. chosen .. ' ', ' ' .. what .. ' ', 1, true)
end

-- Write the events of what has become of a job (started, or its final status) in the same instant, so that every state
-- that was reached will be notified: one event for the job's own webhook, which `message` is for, and one for each
-- endpoint, where they want to know.
local function notify(id, what, message, resend_after)
  local event, kind = 'evt_' .. id .. '_' .. what, 'job.' .. what
  if wants(redis.call('HGET', key('job:' .. id), 'tell'), what) then
    happened(event, kind, message, resend_after, 'job', id)
    redis.call('RPUSH', key('told:' .. id), event)
  end
  for _, endpoint in ipairs(redis.call('ZRANGE', key('endpoints'), 0, -1)) do
    local chosen, disabled_at = unpack(redis.call('HMGET', key('endpoint:' .. endpoint), 'tell', 'disabled_at'))
    if not disabled_at and wants(chosen, what) then
      happened(event .. '_' .. endpoint, kind, '', 0, 'job', id, 'endpoint', endpoint)
      redis.call('RPUSH', key('told:' .. id), event .. '_' .. endpoint)
      redis.call('ZADD', key('told_to:' .. endpoint), int(now), event .. '_' .. endpoint)
    end
  end
end

-- The end of a job, once and for ever: as was decided, else as the caller says. Returns the status that it has now.
-- `message` is that of the event of the status `to`, and may be ''.
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
  mark_unarchived(id)
  notify(id, to, message, resend_after)
  redis.call('PUBLISH', key('done'), id)
  count('jobs ' .. to)
  return to
end
