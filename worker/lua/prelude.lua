-- Stands before every script. A script is the only way a job changes its state: it runs alone, on Redis's own clock.
--
-- KEYS[1] is the prefix of all keys. The scripts name their keys themselves, so they want one Redis, not a cluster;
-- Celery's queues want that anyway.
--
--   job:<id>       hash    the record; its `status` is the truth
--   input:<id>     string  its image, until that is in object storage
--   jobs           zset    every job by accepted_at, newest last
--   jobs:<status>  zset    the same, of one status
--   waiting:<q>    zset    queued jobs by enqueued_at: their message should be in the queue q
--   delayed        zset    queued jobs that wait for their next try, by when it is due
--   leases         zset    running jobs by when their lease ends
--   event:<id>     hash    a webhook event, its id fixed with the change of state that it tells
--   events:due     zset    events not yet delivered, by when they should be tried
--   q:<queue>      list    Celery's messages

local function key(name) return KEYS[1] .. name end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] -- microseconds; exact in a double until the year 2255
local function int(number) return string.format('%.0f', number) end

local function move(id, from, to)
  local accepted_at = redis.call('HGET', key('job:' .. id), 'accepted_at')
  redis.call('ZREM', key('jobs:' .. from), id)
  redis.call('ZADD', key('jobs:' .. to), accepted_at, id)
  redis.call('HSET', key('job:' .. id), 'status', to)
end

local function enqueue(id, message)
  local queue = redis.call('HGET', key('job:' .. id), 'queue')
  redis.call('LPUSH', key('q:' .. queue), message)
  redis.call('ZADD', key('waiting:' .. queue), int(now), id)
end

-- A running job is held by the attempt that its record names; the number of the attempt is the fencing token.
local function is_held(id, attempt)
  local record = redis.call('HMGET', key('job:' .. id), 'status', 'attempt')
  return record[1] == 'running' and record[2] == attempt
end

-- The end of a running job, once and for ever. Where someone wants to be told, the event is written here, in the same
-- instant: a state that was reached is a state that will be told.
local function close(id, to, webhook_message, resend_after)
  move(id, 'running', to)
  redis.call('HSET', key('job:' .. id), 'completed_at', int(now))
  redis.call('ZREM', key('leases'), id)
  redis.call('DEL', key('input:' .. id))
  if webhook_message ~= '' then
    local event = 'evt_' .. id .. '_' .. to
    redis.call('HSET', key('event:' .. event), 'job', id, 'type', 'job.' .. to, 'state', 'pending', 'tries', 0,
      'created_at', int(now))
    redis.call('ZADD', key('events:due'), int(now + resend_after), event)
    redis.call('LPUSH', key('q:webhook'), webhook_message)
  end
  redis.call('PUBLISH', key('done'), id)
end
