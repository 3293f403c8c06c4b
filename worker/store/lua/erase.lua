#!lua flags=allow-oom
-- Erase everything of a job except its files, unless it is running. The caller deletes the files next; the id is listed in
-- `erasing` until they are deleted.
-- ARGV: id, delay in microseconds after which the reaper deletes the files, seconds for which no other job may have the id,
-- 1 to erase a job that is only in the archive, then also the group that its document names or ''. Returns the status that the job had, `lost` if it was only in the archive,
-- `ephemeral` for an ephemeral job, which has no files, or '' if there is no such job.
local id, delay, seconds, is_lost, group = unpack(ARGV)
local job = read_job(id)
local status = job and job.status
if status == 'running' or not (status or is_lost == '1') then return status or '' end

if job and job.ephemeral then
  release(job)
  drop_ephemeral_image(job)
  redis.call('ZREM', key(owner(id) .. 'ephemeral:' .. status), id)
  redis.call('DEL', key('job:', id), key('result:', id))
  redis.call('PUBLISH', key('done'), id)
  announce(id, 'deleted', nil, true)
  return 'ephemeral'
end
local item, batch = '', nil
if job then
  release(job)
  count_stored(id, -stored_bytes(id))
  group, batch = job.group, job.batch
  if batch then
    if redis.call('HEXISTS', key('batch:', batch), 'completed_at') == 0 then
      item = batch .. ' ' .. job.item
    end
    redis.call('ZREM', key('batch_jobs:', batch), id)
    count_in_batch(batch, id, status, 'deleted')
    settle_batch(batch)
  end
  for _, index in ipairs({owner(id) .. 'jobs', owner(id) .. 'jobs:' .. status, 'ended', 'unarchived'}) do redis.call('ZREM', key(index), id) end
end
redis.call('DEL', key('job:', id), key('input:', id), key('result:', id))
for _, event in ipairs(redis.call('LRANGE', key('told:', id), 0, -1)) do delete_event(event) end
redis.call('DEL', key('told:', id))
redis.call('SET', key('erased:', id), item, 'EX', seconds)
redis.call('ZADD', key('erasing'), now + delay, id)
if (group or '') ~= '' then redis.call('HSET', key('erasing_groups'), id, group) end
redis.call('PUBLISH', key('done'), id)
announce(id, 'deleted', batch, false, true)
return status or 'lost'
