#!lua flags=allow-oom
-- End a job, if the attempt still holds it.
-- ARGV: id, attempt, status (succeeded, failed or canceled), webhook message or '', resend_after, then field, value, ... of
-- the record. Returns the job's status now, or '' if the attempt is stale: then nothing is changed.
local id, attempt, to, webhook_message, resend_after = unpack(ARGV)
if not is_held(id, attempt) then return '' end
if #ARGV > 5 then redis.call('HSET', key('job:' .. id), unpack(ARGV, 6)) end
local run, embedding = unpack(redis.call('HMGET', key('job:' .. id), 'run', 'embedding'))
if run then count('embeddings ' .. cjson.decode(run).embedding_cache) end
if run and embedding then redis.call('SET', key('made:' .. embedding), '', 'EX', MADE_SECONDS) end
return end_job(id, to, webhook_message, resend_after)
