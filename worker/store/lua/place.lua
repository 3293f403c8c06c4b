-- Return about how many jobs begin before a waiting job, and how many jobs have ended since a time; or nothing if the job does
-- not wait. Three kinds of jobs begin before it: the n jobs in front of it in its line; n + 1 jobs of each other tenant in its
-- lane; and all jobs of more urgent lanes. ARGV: id, the time.
local id, since = unpack(ARGV)
local queue, lane = unpack(redis.call('HMGET', key('job:', id), 'queue', 'lane'))
if not lane then return {} end
local level = queue .. ':' .. lane
local line = key('line:' .. level .. ':' .. tenant(id))
local ahead = redis.call('ZRANK', line, id)
local others = (redis.call('ZCARD', key('turns:', level)) - 1) * (ahead + 1)

local count_of_lane = redis.call('HGETALL', key('lanes:', queue))
for i = 1, #count_of_lane, 2 do
  local other, waiting = count_of_lane[i], tonumber(count_of_lane[i + 1])
  if other == lane then
    ahead = ahead + math.min(others, waiting - redis.call('ZCARD', line))
  elseif is_more_urgent(other, lane) then
    ahead = ahead + waiting
  end
end
return {ahead, redis.call('ZCOUNT', key('ended'), since, '+inf')}
