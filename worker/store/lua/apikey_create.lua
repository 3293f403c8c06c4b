-- Create an API key, and its tenant if this is the tenant's first key. ARGV: id, tenant, a secret for the webhooks of a new
-- tenant or '' for the tenant `default`, then field, value, ... of the key's record.
local id, tenant, webhook_secret = unpack(ARGV)
redis.call('HSET', key('apikey:', id), 'created_at', now, 'tenant', tenant, unpack(ARGV, 4))
redis.call('ZADD', key('apikeys'), now, id)
mark_unarchived_record('apikey:' .. id)
if webhook_secret ~= '' and redis.call('EXISTS', key('tenant:', tenant)) == 0 then
  redis.call('HSET', key('tenant:', tenant), 'created_at', now, 'webhook_secret', webhook_secret)
  redis.call('ZADD', key('tenants'), now, tenant)
  mark_unarchived_record('tenant:' .. tenant)
end
