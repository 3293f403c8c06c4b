-- Give a tenant a new secret for webhooks; the old one stays valid for the overlap. ARGV: name, secret, overlap in
-- microseconds. Returns 0 if there is no such tenant.
local name, secret, overlap = unpack(ARGV)
local record = key('tenant:', name)
local old = redis.call('HGET', record, 'webhook_secret')
if not old then return 0 end
redis.call('HSET', record, 'webhook_secret', secret, 'old_webhook_secret', old, 'old_secret_until', now + overlap)
mark_unarchived_record('tenant:' .. name)
return 1
