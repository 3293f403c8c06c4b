#!lua flags=allow-oom
-- The reaper puts a job back on the road, if what it saw of the job is still so.
-- ARGV: id, the index it was found in (leases, delayed or waiting:<queue>), its score there, message, max_attempts,
-- error if it has no attempt left, webhook message or '', resend_after. Returns the status it has now, or ''.
local id, index, score, message, max_attempts, err, webhook_message, resend_after = unpack(ARGV)
if redis.call('ZSCORE', key(index), id) ~= score then return '' end

if index == 'leases' then
  if verdict(id) ~= '' or tries(id) >= tonumber(max_attempts) then
    redis.call('HSET', key('job:' .. id), 'error', err)
    return close(id, 'failed', webhook_message, resend_after)
  end
  move(id, 'queued')
end
redis.call('ZREM', key(index), id)
-- A fault of ours may last, and is no reason to keep others waiting; nor is there one to wait twice for a worker's death.
local put = index == 'delayed' and enqueue or enqueue_first
put(id, message)
return 'queued'
