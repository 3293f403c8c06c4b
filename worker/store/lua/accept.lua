-- Accept a job: write its record and its image, put it into every index and its permit into the queue; or write nothing.
-- ARGV: id, permit, image or '', the idempotency key or '', the fingerprint or '', seconds for which the key is remembered,
-- max_queued_jobs, start_within in microseconds or '',
-- the maximum number of queued jobs and of stored bytes of a tenant without limits of its own, each '' for no limit,
-- the bytes of the image and the request that are stored for this job,
-- for an ephemeral job the maximum number of bytes of the images of all ephemeral jobs, otherwise '',
-- the id of the batch that the job belongs to, or '',
-- if the request names an image that another job has sent: its SHA-256, that job, and seconds for which it is known from now
-- on; otherwise '' three times,
-- then field, value, ... of the record. With a fingerprint and no key, a repeated submission is found by its id.
-- Returns the outcome and the id of the job: `accepted` (then also the time); `same`: this job was accepted before;
-- `other`: a different job was accepted before under this key or id; `erased`: the job was accepted before and erased
-- since; `full`: no more jobs are accepted now, with the reason (`jobs`, `memory` or `ephemeral`) in place of the id;
-- `closed`: the batch takes no jobs, because it was canceled or deleted; `unknown`: the image is not known any more;
-- `exceeded`: a limit of the tenant does not allow the job, with its name in place of the id, the limit, and what is left of it.
local id, permit, image, once, fingerprint, seconds, max_queued_jobs, start_within,
  queued_jobs_per_tenant, stored_bytes_per_tenant, input_bytes, max_ephemeral_bytes, batch, sha256, sent_by, known_seconds = unpack(ARGV)
local is_ephemeral = max_ephemeral_bytes ~= ''
local record = key('job:', id)

if once ~= '' then
  local first = redis.call('HMGET', key('key:', once), 'job', 'fingerprint')
  if first[1] then
    if first[2] ~= fingerprint then return {'other', first[1]} end
    if redis.call('EXISTS', key('job:', first[1])) == 0 then return {'erased', first[1]} end
    return {'same', first[1]}
  end
end
if redis.call('EXISTS', record) == 1 then
  return {(redis.call('HGET', record, 'fingerprint') or '') == fingerprint and 'same' or 'other', id}
end
-- The id of an erased job is not used again while attempts of that job may still be running. Without a fingerprint the id is new.
if fingerprint ~= '' and is_erased(id) then return {'erased', id} end
if sha256 ~= '' and not keep_known(tenant(id), sha256, sent_by, known_seconds) then return {'unknown', sha256} end
if batch ~= '' and not takes_jobs(batch) then return {'closed', id} end

local limit, quota, left = exceeded(id, queued_jobs_per_tenant, stored_bytes_per_tenant, not is_ephemeral and tonumber(input_bytes))
if limit then return {'exceeded', limit, int(quota), int(left)} end
local why = full(max_queued_jobs)
if why ~= '' then return {'full', why} end
if is_ephemeral and image ~= '' and not has_ephemeral_room(id, #image, tonumber(max_ephemeral_bytes)) then
  return {'full', 'ephemeral'}
end

-- No two jobs of a tenant have the same time, so that a list has an order.
local newest = redis.call('ZRANGE', key(owner(id) .. 'jobs'), -1, -1, 'WITHSCORES')[2]
if newest and tonumber(newest) >= now then now = tonumber(newest) + 1 end

local job = {id = id}
for i = 17, #ARGV, 2 do job[ARGV[i]] = ARGV[i + 1] end
job.lane = lane_of(job)
redis.call('HSET', record, 'status', 'queued', 'attempt', 0, 'accepted_at', now, 'lane', job.lane, unpack(ARGV, 17))
if image ~= '' then redis.call('SET', key('input:', id), image) end
if is_ephemeral then
  redis.call('HSET', record, 'ephemeral', 1)
  redis.call('ZADD', key(owner(id) .. 'ephemeral:queued'), now, id)
  if image ~= '' then
    redis.call('HSET', record, 'image_bytes', #image)
    redis.call('INCRBY', key('ephemeral_bytes'), #image)
    redis.call('INCRBY', key('ephemeral_bytes:', tenant(id)), #image)
  end
  -- When Redis has forgotten the job, the id that its client chose is still taken, as is its idempotency key.
  if fingerprint ~= '' and once == '' then redis.call('SET', key('erased:', id), '', 'EX', seconds) end
else
  redis.call('ZADD', key(owner(id) .. 'jobs'), now, id)
  redis.call('ZADD', key(owner(id) .. 'jobs:queued'), now, id)
  if batch == '' then mark_unarchived(id) else enter_batch(batch, id) end
end
count_stored(id, tonumber(input_bytes))
count_usage(id, now, 'accepted')
enqueue(job, permit)
announce(id, 'queued', batch ~= '' and batch, is_ephemeral)
if start_within ~= '' then
  redis.call('HSET', record, 'start_by', now + start_within)
  redis.call('ZADD', key('deadlines'), now + start_within, id)
end
if fingerprint ~= '' then redis.call('HSET', record, 'fingerprint', fingerprint) end
if once ~= '' then
  redis.call('HSET', record, 'once', once)
  remember(once, id, fingerprint, seconds)
end
return {'accepted', id, int(now)}
