-- Queued jobs wait in lines, one for each lane of a queue and each tenant. A lane is a priority; light jobs, whose embedding
-- a worker probably has, have lanes of their own (`normal.light`). The job that begins next is found on two levels: the lanes of
-- a queue take turns, and so do the tenants of a lane. In its line a job is first come, first served.
--
-- Turns are start-time fair queuing (Goyal, Vin and Cheng, 1996). A turn is a virtual time, and the member with the earliest
-- turn is next. When one of its jobs begins, its turn moves by the cost of the job divided by the member's weight, so the
-- members share the work in proportion to their weights. A member without waiting jobs saves no turns: see `join`.
-- A level is a queue (its members are lanes), or a queue and a lane (its members are tenants).

-- Clicks of a person must not be slowed down by jobs that can wait, and jobs in bulk must not starve. If all six lanes have
-- jobs, each of the two bulk lanes gets 1 of 2 * (64 + 8 + 1) parts.
local WEIGHTS = {interactive = 64, normal = 8, bulk = 1}

-- The cost of a job that was queued by a version without lanes: an image and a click, as in JobRequest.cost.
local COST_OF_OLDER = 21

-- For how many seconds after a job succeeded its workers probably have the embedding of its image.
local MADE_SECONDS = 600

local function tenant(id) return owner(id) == '' and 'default' or string.sub(owner(id), 1, -2) end
local function is_light(lane) return string.find(lane, '.light', 1, true) ~= nil end
local function weight_of_lane(lane) return WEIGHTS[string.match(lane, '^%a+')] end

-- Let a member take turns from now on. Its turn is the one that it had when it left, or the one that was taken last if that is
-- later. So a member that leaves and joins often gets no more than its share, and one that was absent does not catch up. In an
-- idle queue there are no turns yet.
local function join(level, member, is_idle)
  local turns, left = key('turns:', level), key('left:', level)
  if is_idle then return redis.call('ZADD', turns, 0, member) end
  if redis.call('ZSCORE', turns, member) then return end
  local turn = redis.call('GET', key('clock:', level)) or 0
  if redis.call('EXISTS', left) == 1 then
    redis.call('ZREMRANGEBYSCORE', left, '-inf', turn)
    turn = redis.call('ZSCORE', left, member) or turn
    redis.call('ZREM', left, member)
  end
  redis.call('ZADD', turns, turn, member)
end

-- Let a member take no more turns. When no member is left, all turns are forgotten.
local function leave(level, member)
  local turns, left = key('turns:', level), key('left:', level)
  local turn = redis.call('ZSCORE', turns, member)
  redis.call('ZREM', turns, member)
  if redis.call('EXISTS', turns) == 1 then
    redis.call('ZADD', left, turn, member)
  else
    redis.call('DEL', left, key('clock:', level))
  end
end

-- Let a member take its turn with a job of this cost.
local function charge(level, member, cost)
  local turns = key('turns:', level)
  redis.call('SET', key('clock:', level), redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')[2])
  redis.call('ZINCRBY', turns, cost, member)
end

-- Return the lane that a job belongs to now.
local function lane_of(job)
  local is_made = job.light_cost and job.embedding and redis.call('EXISTS', key('made:', job.embedding)) == 1
  return (job.priority or 'normal') .. (is_made and '.light' or '')
end

-- Put a job at the end of its line, or at the front of it. Its record gets the lane, unless it has that already. Return how many
-- jobs wait in its queue now.
local function enter_line(job, is_first)
  local id, queue = job.id, job.queue
  local lane = job.lane or lane_of(job)
  local level = queue .. ':' .. lane
  local line, score = key('line:' .. level .. ':' .. tenant(id)), now
  if is_first then
    local longest = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')[2]
    score = longest and math.min(now, longest - 1) or now
  end
  redis.call('ZADD', line, score, id)
  redis.call('ZADD', key('waiting:', queue), 'NX', now, id)
  redis.call('HINCRBY', key('lanes:', queue), lane, 1)
  if not job.lane then redis.call('HSET', key('job:', id), 'lane', lane) end
  local waiting = redis.call('ZCARD', key('waiting:', queue))
  join(level, tenant(id), waiting == 1)
  join(queue, lane, waiting == 1)
  return waiting
end

-- Remove the last waiting job of a queue from its line. An idle queue keeps nothing about its lines. This is what `leave_line`
-- would do, with one command instead of twelve.
local function leave_last(id, queue, lane)
  local level = queue .. ':' .. lane
  redis.call('DEL', key('waiting:', queue), key('lanes:', queue), key('line:' .. level .. ':' .. tenant(id)),
    key('turns:', level), key('left:', level), key('clock:', level),
    key('turns:', queue), key('left:', queue), key('clock:', queue))
end

-- Remove a waiting job from its line, if it is in one; `lane` is the field of its record, which the caller removes.
local function leave_line(id, queue, lane)
  if lane and redis.call('ZCARD', key('waiting:', queue)) == 1 then return leave_last(id, queue, lane) end
  redis.call('ZREM', key('waiting:', queue), id)
  if not lane then return end
  local level = queue .. ':' .. lane
  local line = key('line:' .. level .. ':' .. tenant(id))
  redis.call('ZREM', line, id)
  if redis.call('HINCRBY', key('lanes:', queue), lane, -1) == 0 then redis.call('HDEL', key('lanes:', queue), lane) end
  if redis.call('EXISTS', line) == 0 then leave(level, tenant(id)) end
  if redis.call('EXISTS', key('turns:', level)) == 0 then leave(queue, lane) end
end

-- True if jobs of one lane begin before those of another when both have the same turn.
local function is_more_urgent(lane, other)
  if weight_of_lane(lane) ~= weight_of_lane(other) then return weight_of_lane(lane) > weight_of_lane(other) end
  return is_light(lane) and not is_light(other)
end

-- Return the job of a queue that is next, or nil if no job waits. With `only_light`, consider light jobs only.
local function next_job(queue, only_light)
  local turns = redis.call('ZRANGE', key('turns:', queue), 0, -1, 'WITHSCORES')
  local lane, earliest
  for i = 1, #turns, 2 do
    local other, turn = turns[i], turns[i + 1]
    local is_next = not lane or (turn == earliest and is_more_urgent(other, lane))
    if is_next and (is_light(other) or not only_light) then lane, earliest = other, turn end
  end
  if not lane then return end
  local level = queue .. ':' .. lane
  local first = redis.call('ZRANGE', key('turns:', level), 0, 0)[1]
  return redis.call('ZRANGE', key('line:' .. level .. ':' .. first), 0, 0)[1]
end

-- Move the turns of a waiting job's lane and tenant by the cost of the job, because it begins. If no other job waits in the
-- queue, its turns are forgotten anyway.
local function take_turn(job)
  local id, queue, lane = job.id, job.queue, job.lane
  if redis.call('ZCARD', key('waiting:', queue)) == 1 then return end
  local cost = is_light(lane) and job.light_cost or job.cost or COST_OF_OLDER
  local weight = redis.call('HGET', key('tenant:', tenant(id)), 'weight') or 1
  charge(queue, lane, cost / weight_of_lane(lane))
  charge(queue .. ':' .. lane, tenant(id), cost / weight)
end
