-- Send the message of an event to a sender. The event is due again after `resend_after`, in case the message is lost.
local function send_event(event, message, resend_after)
  redis.call('ZADD', key('events:due'), now + resend_after, event)
  redis.call('LPUSH', key('q:webhook'), message)
end

-- Write an event. If `message` is '', the event is due immediately, and the reaper sends the message. The last arguments
-- are its job, its endpoint or both, as field, value, ...
local function write_event(event, kind, message, resend_after, ...)
  redis.call('HSET', key('event:', event), 'type', kind, 'state', 'pending', 'tries', 0, 'created_at', now, ...)
  if message == '' then
    redis.call('ZADD', key('events:due'), now, event)
  else
    send_event(event, message, resend_after)
  end
end

-- Let an event wait for a place at a host.
local function hold(event, host)
  redis.call('HSET', key('event:', event), 'host', host)
  redis.call('ZADD', key('held:', host), now, event)
  redis.call('SADD', key('held'), host)
end

-- Remove an event from every index that says what the event waits for.
local function unhold(event)
  redis.call('ZREM', key('events:due'), event)
  local host = redis.call('HGET', key('event:', event), 'host')
  if host then redis.call('ZREM', key('held:', host), event) end
end

-- Delete an event and the log of its tries.
local function delete_event(event)
  unhold(event)
  local endpoint = redis.call('HGET', key('event:', event), 'endpoint')
  if endpoint then redis.call('ZREM', key('told_to:', endpoint), event) end
  redis.call('DEL', key('event:', event), key('deliveries:', event))
end

-- Return how many more events may be tried at a host now. A silent host gets one try at a time until it answers.
local function free_places(host, places)
  redis.call('ZREMRANGEBYSCORE', key('sending:', host), '-inf', now)
  if redis.call('EXISTS', key('silent:', host)) == 1 then places = 1 end
  return places - redis.call('ZCARD', key('sending:', host))
end

-- Give each free place of a host to the event that has waited longest, and make that event due now. The event keeps its
-- place for `keep` microseconds. Return these events.
local function admit(host, places, keep)
  local admitted = {}
  for _ = 1, free_places(host, places) do
    local event = redis.call('ZPOPMIN', key('held:', host))[1]
    if not event then
      redis.call('SREM', key('held'), host)
      break
    end
    redis.call('ZADD', key('sending:', host), now + keep, event)
    redis.call('ZADD', key('events:due'), now, event)
    admitted[#admitted + 1] = event
  end
  return admitted
end

-- True if `what` is one of the words in `chosen` (`started succeeded`).
local function is_chosen(chosen, what)
  return chosen and string.find(' ' .. chosen .. ' ', ' ' .. what .. ' ', 1, true)
end

-- Write an event for each receiver that chose its kind: one for the own webhook of a job or a batch, which chose the kinds
-- `tell` and is sent by `message`, and one for each enabled endpoint of its tenant. `word` is the kind as `tell` has it. `of` is
-- `job` or `batch`. `told` is the key of the list to which the ids of the events are added.
local function write_events(event, kind, word, tell, message, resend_after, of, id, told)
  if is_chosen(tell, word) then
    write_event(event, kind, message, resend_after, of, id)
    redis.call('RPUSH', told, event)
  end
  for _, endpoint in ipairs(redis.call('ZRANGE', key(owner(id) .. 'endpoints'), 0, -1)) do
    local chosen, disabled_at = unpack(redis.call('HMGET', key('endpoint:', endpoint), 'tell', 'disabled_at'))
    if not disabled_at and is_chosen(chosen, word) then
      local its_event = event .. '_' .. shown(endpoint)
      write_event(its_event, kind, '', 0, of, id, 'endpoint', endpoint)
      redis.call('RPUSH', told, its_event)
      redis.call('ZADD', key('told_to:', endpoint), now, its_event)
    end
  end
end

-- Write the events for a change of a job's status; `what` is `started` or the final status. The same script changes the
-- status, so every status that was reached is notified. An ephemeral job has no events.
local function notify(job, what, message, resend_after)
  if job.ephemeral then return end
  local id = job.id
  local event = owner(id) .. 'evt_' .. shown(id) .. '_' .. what
  write_events(event, 'job.' .. what, what, job.tell, message, resend_after, 'job', id, key('told:', id))
end
