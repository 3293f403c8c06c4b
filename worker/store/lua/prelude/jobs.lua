-- A script reads the record of a job once, as a table with its fields and the `id`, and changes table and record together.

-- Return a job, with these fields only or with all; nil if there is no such job.
local function read_job(id, ...)
  local job, number = {id = id}, select('#', ...)
  if number > 0 then
    local values = redis.call('HMGET', key('job:', id), ...)
    for i = 1, number do job[select(i, ...)] = values[i] or nil end
    return job
  end
  local row = redis.call('HGETALL', key('job:', id))
  for i = 1, #row, 2 do job[row[i]] = row[i + 1] end
  return job.status and job
end

-- Write fields of a job's record: field, value, ...; each value is a string.
local function write_job(job, ...)
  redis.call('HSET', key('job:', job.id), ...)
  local row = {...}
  for i = 1, #row, 2 do job[row[i]] = row[i + 1] end
end

-- Delete fields of a job's record.
local function clear_job(job, ...)
  redis.call('HDEL', key('job:', job.id), ...)
  for i = 1, select('#', ...) do job[select(i, ...)] = nil end
end

-- Return a value, then field, value, ... of a job's record.
local function with_row(value, job)
  local row, length = {value}, 1
  for field, value in pairs(job) do
    if field ~= 'id' then
      row[length + 1], row[length + 2] = field, value
      length = length + 2
    end
  end
  return row
end

-- Remove a job from every index that says what the job waits for. A queued job is in its queue or delayed; a running job has a
-- lease. Return true if the record has a lane or a deadline, which the caller then removes from the record.
local function release(job)
  local id, status, lane = job.id, job.status, job.lane
  if status == 'queued' then leave_line(id, job.queue, lane) end
  if status == 'queued' and not lane then redis.call('ZREM', key('delayed'), id) end
  if status == 'running' then redis.call('ZREM', key('leases'), id) end
  if job.start_by or job.run_by or job.cancel_requested_at then redis.call('ZREM', key('deadlines'), id) end
  return lane or job.start_by or job.run_by
end

-- True if a job with this id was erased, or if its files are still being deleted.
local function is_erased(id)
  return redis.call('EXISTS', key('erased:', id)) == 1 or redis.call('ZSCORE', key('erasing'), id)
end

-- Let an image that a job has sent be known for some seconds from now on. Return false if it is not known any more, or if that
-- job was erased.
local function keep_known(scope, sha256, job, seconds)
  return redis.call('EXISTS', key('job:', job)) == 1
    and redis.call('EXPIRE', key('image:' .. scope .. ':' .. sha256), seconds) == 1
end

-- Remember which job was accepted under an idempotency key.
local function remember(idempotency_key, id, fingerprint, seconds)
  redis.call('HSET', key('key:', idempotency_key), 'job', id, 'fingerprint', fingerprint)
  redis.call('EXPIRE', key('key:', idempotency_key), seconds)
end

-- Delete the image of an ephemeral job from Redis, if its record has `image_bytes`.
local function drop_ephemeral_image(job)
  local bytes = job.image_bytes
  if not bytes then return end
  redis.call('DEL', key('input:', job.id))
  clear_job(job, 'image_bytes')
  redis.call('DECRBY', key('ephemeral_bytes'), bytes)
  local of_tenant = key('ephemeral_bytes:', tenant(job.id))
  if redis.call('DECRBY', of_tenant, bytes) <= 0 then redis.call('DEL', of_tenant) end
end

-- Count the change of the status of a job that is an item of a batch; `from` or `to` is nil if the batch has no such job.
local function count_in_batch(batch, id, from, to)
  local counts, open = key('batch_counts:', batch), key('batch_open:', batch)
  if from then redis.call('HINCRBY', counts, from, -1) end
  if to then redis.call('HINCRBY', counts, to, 1) end
  redis.call((to == 'queued' or to == 'running') and 'SADD' or 'SREM', open, id)
end

-- Change the status of a job, and further fields of its record: field, value, ... The deadlines of its previous status no longer
-- apply: by now they were met or missed. The progress of its previous attempt is removed too. An ephemeral job that has ended is
-- in no list.
local function set_status(job, to, ...)
  local id, from = job.id, job.status
  if release(job) or job.progress then clear_job(job, 'lane', 'start_by', 'run_by', 'progress') end
  local lists = owner(id) .. (job.ephemeral and 'ephemeral:' or 'jobs:')
  redis.call('ZREM', key(lists .. from), id)
  if not job.ephemeral or to == 'queued' or to == 'running' then redis.call('ZADD', key(lists .. to), job.accepted_at, id) end
  write_job(job, 'status', to, ...)
  if job.batch then count_in_batch(job.batch, id, from, to) end
  announce(id, to == 'running' and 'started' or to, job.batch, job.ephemeral, to ~= 'queued' and to ~= 'running')
end

-- Put a job at the end of its line; or at the front, if it was started before and has waited already. The permit lets a
-- worker begin one job of the queue, the one that is next. The permit is not pushed if the queue has one for each waiting job:
-- canceled jobs leave their permits behind, and a client that submits and cancels in a loop must not fill Redis with them.
local function enqueue(job, permit, is_first)
  local waiting = enter_line(job, is_first)
  if redis.call('LLEN', key('q:', job.queue)) < waiting then
    redis.call('LPUSH', key('q:', job.queue), permit)
  end
end

-- True if this attempt holds the job: the job is running, and its record has the attempt's number. That number is the
-- fencing token.
local function is_held(job, attempt) return job and job.status == 'running' and job.attempt == attempt end

-- Return how many attempts count against max_attempts. Not counted are attempts that a worker handed back because it had to
-- stop, and attempts that failed in an outage.
local function tries(job) return job.attempt - (job.forgiven or 0) end

-- Do not count the last attempt against max_attempts.
local function forgive(job) write_job(job, 'forgiven', tostring((job.forgiven or 0) + 1)) end

-- Return how a job that has not ended must end, or '' if its attempt decides that. canceled: the client asked for that; timeout:
-- the attempt ran too long; expired: no attempt started in time.
local function verdict(job)
  if job.cancel_requested_at then return 'canceled' end
  if job.run_by and tonumber(job.run_by) <= now then return 'timeout' end
  if job.start_by and tonumber(job.start_by) <= now then return 'expired' end
  return ''
end

-- Put a job that a version without lanes queued into a line.
local function adopt(id)
  local job = read_job(id, 'queue', 'lane', 'priority', 'light_cost', 'embedding')
  if job.queue and not job.lane and redis.call('ZSCORE', key('waiting:', job.queue), id) then enter_line(job) end
end
