-- Ask for a file of a job, unless it was asked for a short time ago. ARGV: job, name of the file, seconds after which it may be
-- asked for again, the maximum number of files of a tenant that wait.
-- Returns '', `full`, or why the file could not be made, as JSON.
local id, name, seconds, max_waiting = unpack(ARGV)
local file = id .. ' ' .. name
local state = redis.call('GET', key('asked:', file))
if state then return state end
local waiting = tonumber(redis.call('HGET', key('asked_counts'), tenant(id)) or 0)
if not redis.call('ZSCORE', key('asked_files'), file) then
  if waiting >= tonumber(max_waiting) then return 'full' end
  -- The more files of a tenant wait, the later is the turn of its next one: no tenant delays those of others for long.
  redis.call('ZADD', key('asked_files'), int(now + waiting * FILE_APART), file)
  redis.call('HINCRBY', key('asked_counts'), tenant(id), 1)
end
redis.call('SET', key('asked:', file), '', 'EX', seconds)
return ''
