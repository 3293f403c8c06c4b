#!lua flags=allow-oom
-- Take jobs off the list of unarchived jobs, because their documents are in storage. ARGV: 1 if these are the documents of
-- ended jobs, then ids. After the document of an earlier state, a job that has ended meanwhile stays on the list.
-- Returns the ids of the jobs that were erased meanwhile.
local is_of_end, erased = ARGV[1], {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local exists = redis.call('EXISTS', key('job:', id)) == 1
  if not exists and is_erased(id) then erased[#erased + 1] = id end
  if not exists or is_of_end == '1' or not redis.call('ZSCORE', key('ended'), id) then
    redis.call('ZREM', key('unarchived'), id)
  end
end
return erased
