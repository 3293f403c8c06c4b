-- "Still at it": extends the leases of a worker's jobs.
-- ARGV: lease in microseconds, then id, attempt, id, attempt, ... Returns as id/attempt those that are held no longer.
local lease = ARGV[1]
local lost = {}
for i = 2, #ARGV, 2 do
  if is_held(ARGV[i], ARGV[i + 1]) then
    redis.call('ZADD', key('leases'), 'XX', int(now + lease), ARGV[i])
  else
    lost[#lost + 1] = ARGV[i] .. '/' .. ARGV[i + 1]
  end
end
return lost
