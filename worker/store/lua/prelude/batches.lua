-- The statuses of jobs in which an item has ended, and `deleted` for an item whose job was erased.
local ENDED = {'succeeded', 'failed', 'canceled', 'expired', 'deleted'}

-- Return how many items of a batch are in one of these statuses.
local function count_of(batch, statuses)
  local sum = 0
  for _, count in ipairs(redis.call('HMGET', key('batch_counts:', batch), unpack(statuses))) do sum = sum + (count or 0) end
  return sum
end

-- Return how many items of a batch wait for their jobs, which the feeder makes.
local function waiting_items(batch)
  return redis.call('HLEN', key('batch_items:', batch)) - count_of(batch, {'queued', 'running', unpack(ENDED)})
end

-- How many events of a batch are kept, and the shortest time between two events about its progress.
local KEPT_EVENTS = 100
local PROGRESS_EVERY = 10 * 1000000

-- Write the events of a batch; `kind` is `batch.progress` or `batch.completed`. `name` distinguishes them from the other events
-- of the batch. A sweep of the reaper sends them.
local function notify_batch(batch, kind, name)
  local told = key('batch_told:', batch)
  local event = owner(batch) .. 'evt_' .. shown(batch) .. '_' .. name
  write_events(event, kind, kind, redis.call('HGET', key('batch:', batch), 'tell'), '', 0, 'batch', batch, told)
  while redis.call('LLEN', told) > KEPT_EVENTS do delete_event(redis.call('LPOP', told)) end
end

-- Notify that a batch has completed. A batch that was open again completes under another event id.
local function notify_completed(batch)
  local reopened = redis.call('HGET', key('batch:', batch), 'reopened')
  notify_batch(batch, 'batch.completed', 'completed' .. (reopened and '_' .. reopened or ''))
  announce_batch(batch, 'completed')
  redis.call('PUBLISH', key('done'), 'batch:' .. batch)
end

-- Complete a batch if its manifest is complete and all its items have ended.
local function settle_batch(batch)
  local record = key('batch:', batch)
  local sealed_at, completed_at = unpack(redis.call('HMGET', record, 'sealed_at', 'completed_at'))
  if not sealed_at or completed_at then return end
  if count_of(batch, ENDED) < redis.call('HLEN', key('batch_items:', batch)) then return end
  redis.call('HSET', record, 'completed_at', now)
  redis.call('ZREM', key(owner(batch) .. 'batches:open'), batch)
  redis.call('ZADD', key('batches:ended'), now, batch)
  mark_unarchived_record('batch:' .. batch)
  notify_completed(batch)
end

-- The shortest time between two events about the progress of a batch in a feed.
local ANNOUNCED_EVERY = 1000000

-- Write the progress of a batch to the feeds, unless that was done a short time ago.
local function announce_progress(batch)
  if redis.call('EXISTS', key('feeds')) == 0 then return end
  local last = redis.call('HGET', key('batch_counts:', batch), 'announced_at')
  if last and now - last < ANNOUNCED_EVERY then return end
  redis.call('HSET', key('batch_counts:', batch), 'announced_at', now)
  announce_batch(batch, 'progress')
end

-- A job of a batch has ended: complete the batch, or notify its progress unless that was done a short time ago.
local function item_ended(batch)
  settle_batch(batch)
  if redis.call('HEXISTS', key('batch:', batch), 'completed_at') == 1 then return end
  announce_progress(batch)
  local counts = key('batch_counts:', batch)
  local last = redis.call('HGET', counts, 'notified_at')
  if last and now - last < PROGRESS_EVERY then return end
  redis.call('HSET', counts, 'notified_at', now)
  notify_batch(batch, 'batch.progress', 'progress_' .. count_of(batch, ENDED))
end

-- True if jobs may be made of the items of a batch.
local function takes_jobs(batch)
  local exists, canceled_at, deleted_at =
    unpack(redis.call('HMGET', key('batch:', batch), 'created_at', 'canceled_at', 'deleted_at'))
  return exists and not canceled_at and not deleted_at
end

-- List a queued job as one of a batch. Its request is in the manifest, so no document of its acceptance is archived.
local function enter_batch(batch, id)
  redis.call('ZADD', key('batch_jobs:', batch), now, id)
  count_in_batch(batch, id, nil, 'queued')
end
