-- Write into the records of queued and running jobs which group in storage will have their documents. ARGV: group, then ids.
-- Returns the ids of these jobs. Left out are jobs that have a document already, that were in a group before, or whose image
-- is not in storage yet.
local group, ids = ARGV[1], {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local record = key('job:', id)
  local status = redis.call('HGET', record, 'status')
  if (status == 'queued' or status == 'running') and redis.call('ZSCORE', key('unarchived'), id)
      and redis.call('EXISTS', key('input:', id)) == 0 and redis.call('HSETNX', record, 'group', group) == 1 then
    ids[#ids + 1] = id
  end
end
return ids
