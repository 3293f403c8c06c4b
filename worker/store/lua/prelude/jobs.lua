-- Remove a job from every index that says what the job waits for. A queued job is in its queue or delayed; a running job has a
-- lease. Return true if the record has a lane or a deadline, which the caller then removes from the record.
local function release(id)
  local status, queue, lane, start_by, run_by, cancel_requested_at = unpack(redis.call('HMGET', key('job:' .. id),
    'status', 'queue', 'lane', 'start_by', 'run_by', 'cancel_requested_at'))
  if status == 'queued' then leave_line(id, queue, lane) end
  if status == 'queued' and not lane then redis.call('ZREM', key('delayed'), id) end
  if status == 'running' then redis.call('ZREM', key('leases'), id) end
  if start_by or run_by or cancel_requested_at then redis.call('ZREM', key('deadlines'), id) end
  return lane or start_by or run_by
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

-- Delete the image of an ephemeral job from Redis, if its record has `image_bytes`.
local function drop_ephemeral_image(id)
  local bytes = redis.call('HGET', key('job:' .. id), 'image_bytes')
  if not bytes then return end
  redis.call('DEL', key('input:' .. id))
  redis.call('HDEL', key('job:' .. id), 'image_bytes')
  redis.call('DECRBY', key('ephemeral_bytes'), bytes)
  local of_tenant = key('ephemeral_bytes:' .. tenant(id))
  if redis.call('DECRBY', of_tenant, bytes) <= 0 then redis.call('DEL', of_tenant) end
end

-- Count the change of the status of a job that is an item of a batch; `from` or `to` is nil if the batch has no such job.
local function count_in_batch(batch, id, from, to)
  local counts, open = key('batch_counts:' .. batch), key('batch_open:' .. batch)
  if from then redis.call('HINCRBY', counts, from, -1) end
  if to then redis.call('HINCRBY', counts, to, 1) end
  redis.call((to == 'queued' or to == 'running') and 'SADD' or 'SREM', open, id)
end

-- Change the status of a job, and further fields of its record: field, value, ... The deadlines of its previous status no longer
-- apply: by now they were met or missed. The progress of its previous attempt is removed too. An ephemeral job that has ended is
-- in no list. Return whether the job is ephemeral, and its batch.
local function set_status(id, to, ...)
  local from, accepted_at, ephemeral, batch, progress =
    unpack(redis.call('HMGET', key('job:' .. id), 'status', 'accepted_at', 'ephemeral', 'batch', 'progress'))
  if release(id) or progress then redis.call('HDEL', key('job:' .. id), 'lane', 'start_by', 'run_by', 'progress') end
  local lists = owner(id) .. (ephemeral and 'ephemeral:' or 'jobs:')
  redis.call('ZREM', key(lists .. from), id)
  if not ephemeral or to == 'queued' or to == 'running' then redis.call('ZADD', key(lists .. to), accepted_at, id) end
  redis.call('HSET', key('job:' .. id), 'status', to, ...)
  if batch then count_in_batch(batch, id, from, to) end
  announce(id, to == 'running' and 'started' or to, batch, ephemeral, to ~= 'queued' and to ~= 'running')
  return ephemeral, batch
end

-- Put a job at the end of its line; or at the front, if it was started before and has waited already. The permit lets a
-- worker begin one job of the queue, the one that is next. The permit is not pushed if the queue has one for each waiting job:
-- canceled jobs leave their permits behind, and a client that submits and cancels in a loop must not fill Redis with them.
local function enqueue(id, permit, is_first)
  local queue, waiting = enter_line(id, is_first)
  if redis.call('LLEN', key('q:' .. queue)) < waiting then
    redis.call('LPUSH', key('q:' .. queue), permit)
  end
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

-- Return how a job that has not ended must end, or '' if its attempt decides that. canceled: the client asked for that; timeout:
-- the attempt ran too long; expired: no attempt started in time.
local function verdict(id)
  local record = redis.call('HMGET', key('job:' .. id), 'cancel_requested_at', 'run_by', 'start_by')
  local cancel_requested_at, run_by, start_by = unpack(record)
  if cancel_requested_at then return 'canceled' end
  if run_by and tonumber(run_by) <= now then return 'timeout' end
  if start_by and tonumber(start_by) <= now then return 'expired' end
  return ''
end
