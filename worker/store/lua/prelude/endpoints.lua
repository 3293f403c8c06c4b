local function enable(endpoint)
  mark_unarchived_record('endpoint:' .. endpoint)
  redis.call('HDEL', key('endpoint:', endpoint), 'disabled_at', 'disabled_reason', 'failing_since')
end

local function disable(endpoint, why)
  if redis.call('HSETNX', key('endpoint:', endpoint), 'disabled_at', now) == 1 then
    redis.call('HSET', key('endpoint:', endpoint), 'disabled_reason', why)
    mark_unarchived_record('endpoint:' .. endpoint)
  end
end
