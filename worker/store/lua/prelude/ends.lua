-- The error of a job whose attempt ran too long. It is text already, because most ends of jobs do not need it.
local TIMEOUT = '{"code": "timeout", "field": "deadline.run_within_s", '
  .. '"message": "the attempt ran longer than deadline.run_within_s allows"}'

local function count(what) redis.call('HINCRBY', key('counts'), what, 1) end

-- For how many seconds an ephemeral job that has ended can be read.
local FORGET_AFTER_SECONDS = 60

-- End a job. Its final status is what `verdict` decided, or `to` if nothing was decided. Return that status.
-- `message` delivers the event of the status `to`, and may be ''. Further arguments are fields of the record that are written
-- with the status: field, value, ...
local function end_job(job, to, message, resend_after, ...)
  local id, decided = job.id, verdict(job)
  if decided == 'timeout' then
    to = 'failed'
  elseif decided ~= '' then
    to = decided
  end
  set_status(job, to, 'completed_at', int(now), ...)
  if decided ~= '' then
    message = ''
    clear_job(job, 'files_prefix', 'masks')
  end
  if decided == 'timeout' then write_job(job, 'error', TIMEOUT) end
  if job.ephemeral then
    drop_ephemeral_image(job)
    redis.call('EXPIRE', key('job:', id), FORGET_AFTER_SECONDS)
  else
    redis.call('ZADD', key('ended'), now, id)
    mark_unarchived(id)
    notify(job, to, message, resend_after)
  end
  redis.call('PUBLISH', key('done'), id)
  count('jobs ' .. to)
  count_usage(id, now, to, job.work)
  if job.batch then item_ended(job.batch) end
  return to
end

-- Return the status of a job that has ended, and field, value, ... of its record, which is archived. An ephemeral job is not
-- archived: only the status.
local function with_record(job)
  if job.ephemeral then return {job.status} end
  return with_row(job.status, job)
end
