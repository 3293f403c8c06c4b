#!lua flags=allow-oom
-- An attempt ends its job, if the job is still that attempt's.
-- ARGV: id, attempt, succeeded, failed or canceled, webhook message or '', resend_after, then field, value, ... of the
-- record. Returns the status that the job has now, or '' to a stale attempt, whose word no longer counts.
local id, attempt, to, webhook_message, resend_after = unpack(ARGV)
if not is_held(id, attempt) then return '' end
if #ARGV > 5 then redis.call('HSET', key('job:' .. id), unpack(ARGV, 6)) end
local run = redis.call('HGET', key('job:' .. id), 'run')
if run then count('embeddings ' .. cjson.decode(run).embedding_cache) end
return close(id, to, webhook_message, resend_after)
