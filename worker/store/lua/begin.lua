#!lua flags=allow-oom
-- Claim the job of a queue that is next for its next attempt, with a lease, and with a deadline if the job has one for each
-- attempt. Jobs that should have been started earlier expire now.
-- ARGV: queue, worker, lease in microseconds, 1 to claim only a light job. Returns the job's id, then field, value, ... of its
-- record, and `followed` if it has a feed; or nothing if no such job waits.
local queue, worker, lease, only_light = unpack(ARGV)
local id
for _ = 1, 100 do -- a limit, so that the script is short; the permits of jobs that expire here serve other jobs
  id = next_job(queue, only_light == '1')
  if not id or verdict(id) == '' then break end
  end_job(id, 'expired', '')
  id = nil
end
if not id then
  -- If no job waits, the remaining permits are not needed.
  if redis.call('EXISTS', key('waiting:' .. queue)) == 0 then redis.call('DEL', key('q:' .. queue)) end
  return {}
end

take_turn(id)
local record = key('job:' .. id)
local attempt, first, run_within = unpack(redis.call('HMGET', record, 'attempt', 'first', 'run_within'))
set_status(id, 'running', 'attempt', attempt + 1, 'worker', worker, 'started_at', int(now))
redis.call('ZADD', key('leases'), int(now + lease), id)
if run_within then
  redis.call('HSET', record, 'run_by', int(now + run_within))
  redis.call('ZADD', key('deadlines'), int(now + run_within), id)
end
if attempt + 1 == tonumber(first or 1) then notify(id, 'started', '') end
local begun = redis.call('HGETALL', record)
if redis.call('EXISTS', key('feed:job:' .. id)) == 1 then
  begun[#begun + 1] = 'followed'
  begun[#begun + 1] = '1'
end
return {id, unpack(begun)}
