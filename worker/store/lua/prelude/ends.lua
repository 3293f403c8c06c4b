local TIMEOUT = cjson.encode({
  code = 'timeout', message = 'the attempt ran longer than deadline.run_within_s allows', field = 'deadline.run_within_s',
})

local function count(what) redis.call('HINCRBY', key('counts'), what, 1) end

-- For how many seconds an ephemeral job that has ended can be read.
local FORGET_AFTER_SECONDS = 60

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
  local ephemeral, batch = set_status(id, to, 'completed_at', int(now))
  if ephemeral then
    drop_ephemeral_image(id)
    redis.call('EXPIRE', key('job:' .. id), FORGET_AFTER_SECONDS)
  else
    redis.call('ZADD', key('ended'), int(now), id)
    mark_unarchived(id)
    notify(id, to, message, resend_after)
  end
  redis.call('PUBLISH', key('done'), id)
  count('jobs ' .. to)
  count_usage(id, now, to)
  if batch then item_ended(batch) end
  return to
end

-- Return a status and field, value, ... of a job's record, which is archived. An ephemeral job is not archived: only the status.
local function with_record(id, status)
  if redis.call('HEXISTS', key('job:' .. id), 'ephemeral') == 1 then return {status} end
  return {status, unpack(redis.call('HGETALL', key('job:' .. id)))}
end
