-- Each script is preceded by the definitions of this file that it uses (worker/store/scripts.py). A definition begins with
-- `local` at the start of a line. A script whose first line is `#!lua flags=allow-oom` also runs when Redis is out of
-- memory: it ends a job, erases one or records an event, and adds little. A script without that line adds data, and Redis
-- refuses it then.
--
-- Only scripts change the state of a job: Redis runs one script at a time, and a script uses Redis's own clock.
--
-- KEYS[1] is the prefix of all keys. The scripts build the names of their keys themselves, so they need a single Redis, not
-- a cluster; Celery's queues need that anyway.
--
-- Ids of jobs, events and endpoints begin with their tenant and a dot (`acme.car-1`), except those of the tenant `default`,
-- which have no dot. <t> is that beginning: `acme.`, or nothing for `default`.
--
-- Times are microseconds since 1970 except where this list says seconds. "Expires" means that the key has a time to live.
--
--   job:<id>       hash    the record of a job; its `status` is authoritative
--   input:<id>     string  the image of a job, until the image is in object storage
--   image:<s>:<d>  string  the stored image with the SHA-256 d, which a client of the scope s sent; expires
--   key:<key>      hash    the job that was accepted under an idempotency key, and its fingerprint; expires
--   erased:<id>    string  a job with this id was erased; expires
--   <t>jobs        zset    every job of a tenant; score: accepted_at
--   <t>jobs:<status> zset  the jobs of one status; score: accepted_at
--   waiting:<q>    zset    queued jobs whose message should be in the queue q; score: enqueued_at
--   delayed        zset    queued jobs that wait for their next attempt; score: when it is due
--   leases         zset    running jobs; score: when their lease ends
--   deadlines      zset    jobs with a deadline; score: start_by before the first start; while the job runs, the
--                          earlier of run_by and some time after a cancel request
--   ended          zset    jobs in a final status; score: completed_at
--   erasing        zset    ids of erased jobs whose files are not deleted yet; score: when the reaper deletes them
--   unarchived     zset    jobs whose latest document is not in storage yet; score: when the reaper writes it
--   endpoint:<id>  hash    a receiver of events of all jobs of its tenant; it has `disabled_at` while it is disabled
--   <t>endpoints   zset    every endpoint of a tenant; score: created_at
--   apikey:<id>    hash    an API key, with hashes of its secrets; it has `revoked_at` once it is revoked
--   apikeys        zset    every API key; score: created_at
--   rate:...       string  the library `limits` counts requests and prompts of a key in a minute; expires
--   tenant:<name>  hash    a tenant, with the secret that signs the webhooks of its jobs; `default` has none
--   tenants        zset    every tenant except `default`; score: created_at
--   unarchived_records zset names of records of tenants, API keys and endpoints that have changed since their copy in
--                          storage was written, or were deleted; score: since when
--   tests:<e>      list    the last test events of an endpoint, oldest first
--   event:<id>     hash    a webhook event; the script that changes the job's status also writes the event and its id
--   deliveries:<e> list    the last tries of an event, newest first
--   told:<id>      list    the events of a job, oldest first
--   told_to:<e>    zset    the events of jobs for an endpoint; score: when they happened
--   events:due     zset    events not yet delivered, except held ones; score: when the next try is due
--   sending:<host> zset    events that have a place at a host: each place allows one try at a time; score: when the place
--                          becomes free at the latest
--   held:<host>    zset    events that wait for a place at a host; score: since when
--   held           set     hosts that may have held events
--   silent:<host>  string  the last try at this host got no answer; expires
--   q:<queue>      list    Celery's messages
--   workers        zset    workers that are alive; score: when they are considered dead, in seconds
--   worker_models  hash    the report of each of these workers: which models it has installed and loaded, as JSON
--   embedding:<k>  hash    `maker`: the worker that is making an embedding; `wanted`: other workers asked for it; expires
--   embeddings     zset    embeddings that are in storage; score: when they were last used
--   embedding_sizes hash   the size of each of these embeddings, in bytes
--   embedding_bytes string the sum of these sizes
--   counts         hash    for metrics: how many jobs ended in each status, how many embeddings were hit, shared or missed

local function key(name) return KEYS[1] .. name end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] -- microseconds; exact in a double until the year 2255
local function int(number) return string.format('%.0f', number) end

-- Return the beginning of an id, `acme.`, or '' for the tenant `default`; and the id as its tenant sees it.
local function owner(id) return string.match(id, '^[^.]*%.') or '' end
local function shown(id) return string.sub(id, #owner(id) + 1) end

-- The process that accepts or ends a job writes the job's document soon after. If it has not by this time, a reaper does.
local ARCHIVED_WITHIN = 5 * 1000000
local function mark_unarchived(id) redis.call('ZADD', key('unarchived'), int(now + ARCHIVED_WITHIN), id) end

-- The scores of one record grow, also if two scripts run in the same microsecond: `record_archived` compares them.
local function mark_unarchived_record(name)
  local before = redis.call('ZSCORE', key('unarchived_records'), name)
  redis.call('ZADD', key('unarchived_records'), int(before and math.max(now, before + 1) or now), name)
end

local TIMEOUT = cjson.encode({
  code = 'timeout', message = 'the attempt ran longer than deadline.run_within_s allows', field = 'deadline.run_within_s',
})

-- Remove a job from every index that says what the job waits for.
local function release(id)
  local queue = redis.call('HGET', key('job:' .. id), 'queue')
  for _, index in ipairs({'waiting:' .. queue, 'delayed', 'leases', 'deadlines'}) do
    redis.call('ZREM', key(index), id)
  end
end

-- True if a job with this id was erased, or if its files are still being deleted.
local function is_erased(id)
  return redis.call('EXISTS', key('erased:' .. id)) == 1 or redis.call('ZSCORE', key('erasing'), id)
end

-- Remember which job was accepted under an idempotency key.
local function remember(idempotency_key, id, fingerprint, seconds)
  redis.call('HSET', key('key:' .. idempotency_key), 'job', id, 'fingerprint', fingerprint)
  redis.call('EXPIRE', key('key:' .. idempotency_key), seconds)
end

-- Change the status of a job. The deadlines of its previous status no longer apply: by now they were met or missed. Nor does
-- the progress of the attempt that ends here.
local function set_status(id, to)
  local record = redis.call('HMGET', key('job:' .. id), 'status', 'accepted_at')
  release(id)
  redis.call('ZREM', key(owner(id) .. 'jobs:' .. record[1]), id)
  redis.call('ZADD', key(owner(id) .. 'jobs:' .. to), record[2], id)
  redis.call('HDEL', key('job:' .. id), 'start_by', 'run_by', 'progress')
  redis.call('HSET', key('job:' .. id), 'status', to)
end

-- Put a job at the end of its queue.
local function enqueue(id, message)
  local queue = redis.call('HGET', key('job:' .. id), 'queue')
  redis.call('LPUSH', key('q:' .. queue), message)
  redis.call('ZADD', key('waiting:' .. queue), int(now), id)
end

-- Put a job at the front of its queue: a job that was started before has waited already. It gets the lowest score of all
-- waiting jobs, because the reaper considers a job lost that has waited longer than the job at the front.
local function enqueue_first(id, message)
  local queue = redis.call('HGET', key('job:' .. id), 'queue')
  local waiting = key('waiting:' .. queue)
  local longest = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
  redis.call('RPUSH', key('q:' .. queue), message)
  redis.call('ZADD', waiting, int(longest and math.min(now, longest - 1) or now), id)
end

-- True if this attempt holds the job: the job is running, and its record has the attempt's number. That number is the
-- fencing token.
local function is_held(id, attempt)
  local record = redis.call('HMGET', key('job:' .. id), 'status', 'attempt')
  return record[1] == 'running' and record[2] == attempt
end

-- Return how many attempts count against max_attempts. Not counted are attempts that a worker handed back because it had to
-- stop, and attempts that failed in an outage.
local function tries(id)
  local record = redis.call('HMGET', key('job:' .. id), 'attempt', 'forgiven')
  return record[1] - (record[2] or 0)
end

-- Return what is already decided about a job that has not ended, or '' if nothing is; the attempt's own outcome does not
-- matter then. canceled: the client asked for that; timeout: the attempt ran too long; expired: no attempt started in time.
local function verdict(id)
  local record = redis.call('HMGET', key('job:' .. id), 'cancel_requested_at', 'run_by', 'start_by')
  local cancel_requested_at, run_by, start_by = unpack(record)
  if cancel_requested_at then return 'canceled' end
  if run_by and tonumber(run_by) <= now then return 'timeout' end
  if start_by and tonumber(start_by) <= now then return 'expired' end
  return ''
end

-- Send the message of an event to a sender. The event is due again after `resend_after`, in case the message is lost.
local function send_event(event, message, resend_after)
  redis.call('ZADD', key('events:due'), int(now + resend_after), event)
  redis.call('LPUSH', key('q:webhook'), message)
end

-- Write an event. If `message` is '', the event is due immediately, and the reaper sends the message. The last arguments
-- are its job, its endpoint or both, as field, value, ...
local function write_event(event, kind, message, resend_after, ...)
  redis.call('HSET', key('event:' .. event), 'type', kind, 'state', 'pending', 'tries', 0, 'created_at', int(now), ...)
  if message == '' then
    redis.call('ZADD', key('events:due'), int(now), event)
  else
    send_event(event, message, resend_after)
  end
end

-- Let an event wait for a place at a host.
local function hold(event, host)
  redis.call('HSET', key('event:' .. event), 'host', host)
  redis.call('ZADD', key('held:' .. host), int(now), event)
  redis.call('SADD', key('held'), host)
end

-- Remove an event from every index that says what the event waits for.
local function unhold(event)
  redis.call('ZREM', key('events:due'), event)
  local host = redis.call('HGET', key('event:' .. event), 'host')
  if host then redis.call('ZREM', key('held:' .. host), event) end
end

-- Delete an event and the log of its tries.
local function delete_event(event)
  unhold(event)
  local endpoint = redis.call('HGET', key('event:' .. event), 'endpoint')
  if endpoint then redis.call('ZREM', key('told_to:' .. endpoint), event) end
  redis.call('DEL', key('event:' .. event), key('deliveries:' .. event))
end

-- Return how many more events may be tried at a host now. A silent host gets one try at a time until it answers.
local function free_places(host, places)
  redis.call('ZREMRANGEBYSCORE', key('sending:' .. host), '-inf', int(now))
  if redis.call('EXISTS', key('silent:' .. host)) == 1 then places = 1 end
  return places - redis.call('ZCARD', key('sending:' .. host))
end

-- Give each free place of a host to the event that has waited longest, and make that event due now. The event keeps its
-- place for `keep` microseconds. Return these events.
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

-- The share of Redis's memory that submissions may fill. The rest is for what empties it again: claims, results, events,
-- and the copies of messages that Celery keeps until a worker is done with them.
local FILLED_BY_SUBMISSIONS = 0.9

-- Return the share of Redis's memory that is in use, 0 to 1; 0 without a `maxmemory`. It includes the arguments of this
-- script.
local function memory_used()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return 0 end -- some providers forbid INFO
  local function bytes(name) return tonumber(string.match(info, '\n' .. name .. ':(%d+)') or 0) end
  local limit = bytes('maxmemory')
  if limit == 0 then return 0 end
  return (bytes('used_memory') - bytes('mem_not_counted_for_evict')) / limit
end

-- Return how many jobs of all tenants are queued. A queued job is in the index of its queue, or waits for its next attempt.
local function queued()
  local count = redis.call('ZCARD', key('delayed'))
  for _, queue in ipairs({'segment.auto', 'segment.cpu', 'segment.gpu'}) do
    count = count + redis.call('ZCARD', key('waiting:' .. queue))
  end
  return count
end

-- Return why no more jobs are accepted: `jobs` (max_queued_jobs are queued), `memory`, or '' if they are accepted.
local function full(max_queued_jobs)
  if queued() >= tonumber(max_queued_jobs) then return 'jobs' end
  if memory_used() >= FILLED_BY_SUBMISSIONS then return 'memory' end
  return ''
end

local function count(what) redis.call('HINCRBY', key('counts'), what, 1) end

local function enable(endpoint)
  mark_unarchived_record('endpoint:' .. endpoint)
  redis.call('HDEL', key('endpoint:' .. endpoint), 'disabled_at', 'disabled_reason', 'failing_since')
end

local function disable(endpoint, why)
  if redis.call('HSETNX', key('endpoint:' .. endpoint), 'disabled_at', int(now)) == 1 then
    redis.call('HSET', key('endpoint:' .. endpoint), 'disabled_reason', why)
    mark_unarchived_record('endpoint:' .. endpoint)
  end
end

-- True if `what` is one of the words in `chosen` (`started succeeded`).
local function is_chosen(chosen, what)
  return chosen and string.find(' ' .. chosen .. ' ', ' ' .. what .. ' ', 1, true)
end

-- Write the events for a change of a job's status; `what` is `started` or the final status. The same script changes the
-- status, so every status that was reached is notified. There is one event for the job's own webhook, sent by `message`, and
-- one for each enabled endpoint of the job's tenant, if they chose events of this type.
local function notify(id, what, message, resend_after)
  local event, kind = owner(id) .. 'evt_' .. shown(id) .. '_' .. what, 'job.' .. what
  if is_chosen(redis.call('HGET', key('job:' .. id), 'tell'), what) then
    write_event(event, kind, message, resend_after, 'job', id)
    redis.call('RPUSH', key('told:' .. id), event)
  end
  for _, endpoint in ipairs(redis.call('ZRANGE', key(owner(id) .. 'endpoints'), 0, -1)) do
    local chosen, disabled_at = unpack(redis.call('HMGET', key('endpoint:' .. endpoint), 'tell', 'disabled_at'))
    if not disabled_at and is_chosen(chosen, what) then
      local its_event = event .. '_' .. shown(endpoint)
      write_event(its_event, kind, '', 0, 'job', id, 'endpoint', endpoint)
      redis.call('RPUSH', key('told:' .. id), its_event)
      redis.call('ZADD', key('told_to:' .. endpoint), int(now), its_event)
    end
  end
end

-- End a job. Its final status is what `verdict` decided, or `to` if nothing was decided. Return that status.
-- `message` delivers the event of the status `to`, and may be ''.
local function end_job(id, to, message, resend_after)
  local decided = verdict(id)
  if decided ~= '' then
    to, message = decided, ''
    redis.call('HDEL', key('job:' .. id), 'files_prefix', 'masks')
  end
  if decided == 'timeout' then
    to = 'failed'
    redis.call('HSET', key('job:' .. id), 'error', TIMEOUT)
  end
  set_status(id, to)
  redis.call('HSET', key('job:' .. id), 'completed_at', int(now))
  redis.call('ZADD', key('ended'), int(now), id)
  mark_unarchived(id)
  notify(id, to, message, resend_after)
  redis.call('PUBLISH', key('done'), id)
  count('jobs ' .. to)
  return to
end
