#!lua flags=allow-oom
-- "Still at it": extends the leases of a worker's jobs.
-- ARGV: lease in microseconds, then id, attempt, id, attempt, ... Returns those that should stop, as id/attempt, why,
-- id/attempt, why, ...: 'lost' where the attempt holds the job no longer, or the verdict.
local lease = ARGV[1]
local stop = {}
for i = 2, #ARGV, 2 do
  local id, attempt = ARGV[i], ARGV[i + 1]
  local why = 'lost'
  if is_held(id, attempt) then
    redis.call('ZADD', key('leases'), 'XX', int(now + lease), id)
    why = verdict(id)
  end
  if why ~= '' then
    stop[#stop + 1] = id .. '/' .. attempt
    stop[#stop + 1] = why
  end
end
return stop
