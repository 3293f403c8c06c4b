-- The share of Redis's memory that submissions may fill. The rest is for what empties it again: claims, results, events,
-- and the copies of messages that Celery keeps until a worker is done with them.
local FILLED_BY_SUBMISSIONS = 0.9

-- Return the share of Redis's memory that is in use, 0 to 1; 0 without a `maxmemory`. It includes the arguments of this
-- script.
local function memory_used()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return 0 end -- some providers forbid INFO
  local function bytes(name)
    local _, last = string.find(info, '\n' .. name .. ':', 1, true) -- ten times as fast as a pattern
    return last and tonumber(string.match(info, '^%d+', last + 1)) or 0
  end
  local limit = bytes('maxmemory')
  if limit == 0 then return 0 end
  return (bytes('used_memory') - bytes('mem_not_counted_for_evict')) / limit
end

-- Return how many jobs of all tenants are queued. A queued job is in the index of its queue, or waits for its next attempt.
local function queued()
  local count = redis.call('ZCARD', key('delayed'))
  for _, queue in ipairs({'segment.auto', 'segment.cpu', 'segment.gpu'}) do
    count = count + redis.call('ZCARD', key('waiting:', queue))
  end
  return count
end

-- Return why no more jobs are accepted: `jobs` (max_queued_jobs are queued), `memory`, or '' if they are accepted.
local function full(max_queued_jobs)
  if queued() >= tonumber(max_queued_jobs) then return 'jobs' end
  if memory_used() >= FILLED_BY_SUBMISSIONS then return 'memory' end
  return ''
end

-- True if there is room for the image of one more ephemeral job. If there are several tenants, the jobs of each may take half
-- of the room. Otherwise one tenant, whose jobs may wait for a worker that never comes, could keep out all others.
local function has_ephemeral_room(id, bytes, max_bytes)
  local function with_image(name) return (redis.call('GET', key(name)) or 0) + bytes end
  if with_image('ephemeral_bytes') > max_bytes then return false end
  return redis.call('EXISTS', key('tenants')) == 0 or with_image('ephemeral_bytes:' .. tenant(id)) <= max_bytes / 2
end

-- Return how many jobs of a tenant are queued; the tenant is that of an id.
local function queued_of_tenant(id)
  return redis.call('ZCARD', key(owner(id) .. 'jobs:queued')) + redis.call('ZCARD', key(owner(id) .. 'ephemeral:queued'))
end

-- Return the limit of a tenant's stored bytes, and what is left of it, if that does not allow so many more bytes; otherwise
-- nothing. The limit is '' for none.
local function stored_exceeded(id, max_stored_bytes, bytes)
  local stored = tonumber(max_stored_bytes)
  if not stored then return end
  local left = stored - (redis.call('GET', key(owner(id) .. 'stored_bytes')) or 0)
  if left < math.max(bytes, 1) then return stored, math.max(left, 0) end
end

-- Return the limit of a tenant that does not allow one more job: its name, its value, and what is left of it; nothing if all
-- limits allow the job. `bytes` is the size of the job's image and request, false if nothing of the job is stored. The tenant's
-- record has the tenant's own limits; the arguments are the limits of tenants without their own, '' for no limit.
local function exceeded(id, max_queued_jobs, max_stored_bytes, bytes)
  local own = redis.call('HMGET', key('tenant:', tenant(id)), 'max_queued_jobs', 'max_stored_bytes')
  local jobs = tonumber(own[1] or max_queued_jobs)
  if jobs then
    local left = jobs - queued_of_tenant(id)
    if left < 1 then return 'queued-jobs', jobs, math.max(left, 0) end
  end
  if bytes then
    local stored, left = stored_exceeded(id, own[2] or max_stored_bytes, bytes)
    if stored then return 'stored-bytes', stored, left end
  end
end
