-- Count bytes of a job that are stored from now on; a negative number: bytes that are no longer stored.
local function count_stored(id, bytes)
  if bytes == 0 then return end
  local stored = key(owner(id) .. 'stored_bytes')
  if redis.call('INCRBY', stored, bytes) == 0 then redis.call('DEL', stored) end
end

-- Return how many bytes of a job are stored.
local function stored_bytes(id)
  local record = redis.call('HMGET', key('job:', id), 'input_bytes', 'output_bytes')
  return (record[1] or 0) + (record[2] or 0)
end

-- 91 days: see usage.py.
local USAGE_SECONDS = 91 * 86400

-- Count for the tenant of a job what happened at a time: `accepted` or a final status. The end of a job also counts its `work`,
-- the field of its record, if the job stored a result.
local function count_usage(id, at, what, work)
  local usage = key(owner(id) .. 'usage:' .. math.floor(at / (86400 * 1000000)))
  if redis.call('HINCRBY', usage, what, 1) == 1 then redis.call('EXPIRE', usage, USAGE_SECONDS) end -- the first of this day
  for name, number in pairs(work and cjson.decode(work) or {}) do
    if number ~= 0 then redis.call('HINCRBY', usage, name, number) end
  end
end
