-- Return about how many jobs begin before a waiting job, and how many jobs ended lately; or nothing if it does not wait.
-- Those before it are: in its line, those in front; of each other tenant in its lane, as many as of its own, itself included;
-- and all jobs of lanes that come first. ARGV: id, since when jobs ended lately.
local id, lately = unpack(ARGV)
local queue, lane = unpack(redis.call('HMGET', key('job:' .. id), 'queue', 'lane'))
if not lane then return {} end
local level = queue .. ':' .. lane
local line = key('line:' .. level .. ':' .. tenant(id))
local ahead = redis.call('ZRANK', line, id)
local others = (redis.call('ZCARD', key('turns:' .. level)) - 1) * (ahead + 1)

local count_of_lane = redis.call('HGETALL', key('lanes:' .. queue))
for i = 1, #count_of_lane, 2 do
  local other, waiting = count_of_lane[i], tonumber(count_of_lane[i + 1])
  if other == lane then
    ahead = ahead + math.min(others, waiting - redis.call('ZCARD', line))
  elseif is_more_urgent(other, lane) then
    ahead = ahead + waiting
  end
end
return {ahead, redis.call('ZCOUNT', key('ended'), lately, '+inf')}
