#!lua flags=allow-oom
-- End a job, if the attempt still holds it.
-- ARGV: id, attempt, status (succeeded, failed or canceled), webhook message or '', resend_after, the result to keep or '',
-- seconds for which it is kept, the bytes that all kept results (of an ephemeral job: all of ephemeral jobs) may have, then
-- field, value, ... of the record.
-- Returns the job's status now, or '' if the attempt is stale: then nothing is changed. Then field, value, ... of the record,
-- unless the job is ephemeral.
local id, attempt, to, webhook_message, resend_after, result, seconds, room = unpack(ARGV)
local job = read_job(id)

-- Keep the result. If all kept results then have too many bytes, delete those that have been kept longest.
local function keep_result()
  local kept = job.ephemeral and 'ephemeral_result' or 'result'
  redis.call('SET', key('result:', id), result, 'EX', seconds)
  redis.call('RPUSH', key(kept .. 's'), #result .. ' ' .. id)
  local bytes = redis.call('INCRBY', key(kept .. '_bytes'), #result)
  while bytes > tonumber(room) do
    local size, oldest = string.match(redis.call('LPOP', key(kept .. 's')) or '', '(%d+) (.*)')
    if not oldest then return redis.call('SET', key(kept .. '_bytes'), 0) end -- the list was deleted
    redis.call('DEL', key('result:', oldest))
    bytes = redis.call('DECRBY', key(kept .. '_bytes'), size)
  end
end

if not is_held(job, attempt) then return {''} end
for i = 9, #ARGV, 2 do job[ARGV[i]] = ARGV[i + 1] end
local run, output_bytes = job.run, job.output_bytes
if output_bytes then count_stored(id, tonumber(output_bytes)) end
if run then count('embeddings ' .. cjson.decode(run).embedding_cache) end
if run and job.embedding then redis.call('SET', key('made:', job.embedding), '', 'EX', MADE_SECONDS) end
local status = end_job(job, to, webhook_message, resend_after, unpack(ARGV, 9))
if status == 'succeeded' and result ~= '' then keep_result() end
return with_record(job)
