-- The statuses of jobs in which an item has ended, and `deleted` for an item whose job was erased.
local ENDED = {'succeeded', 'failed', 'canceled', 'expired', 'deleted'}

-- Return how many items of a batch are in one of these statuses.
local function count_of(batch, statuses)
  local sum = 0
  for _, count in ipairs(redis.call('HMGET', key('batch_counts:' .. batch), unpack(statuses))) do sum = sum + (count or 0) end
  return sum
end

-- Return how many items of a batch wait for their jobs, which the feeder makes.
local function waiting_items(batch)
  return redis.call('HLEN', key('batch_items:' .. batch)) - count_of(batch, {'queued', 'running', unpack(ENDED)})
end

-- Complete a batch if its manifest is complete and all its items have ended.
local function settle_batch(batch)
  local record = key('batch:' .. batch)
  local sealed_at, completed_at = unpack(redis.call('HMGET', record, 'sealed_at', 'completed_at'))
  if not sealed_at or completed_at then return end
  if count_of(batch, ENDED) < redis.call('HLEN', key('batch_items:' .. batch)) then return end
  redis.call('HSET', record, 'completed_at', int(now))
  redis.call('ZREM', key(owner(batch) .. 'batches:open'), batch)
  redis.call('ZADD', key('batches:ended'), int(now), batch)
  mark_unarchived_record('batch:' .. batch)
end

-- True if jobs may be made of the items of a batch.
local function takes_jobs(batch)
  local exists, canceled_at, deleted_at =
    unpack(redis.call('HMGET', key('batch:' .. batch), 'created_at', 'canceled_at', 'deleted_at'))
  return exists and not canceled_at and not deleted_at
end

-- List a queued job as one of a batch. Its request is in the manifest, so no document of its acceptance is archived.
local function enter_batch(batch, id)
  redis.call('ZADD', key('batch_jobs:' .. batch), int(now), id)
  count_in_batch(batch, id, nil, 'queued')
end
