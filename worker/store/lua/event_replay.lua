-- Deliver events again, regardless of their state, each when a place at the host is free. ARGV: host, then event ids.
-- Returns how many of these events still exist.
local host, replayed = ARGV[1], 0
for i = 2, #ARGV do
  local event = ARGV[i]
  if redis.call('EXISTS', key('event:', event)) == 1 then
    unhold(event)
    redis.call('HSET', key('event:', event), 'state', 'pending', 'tries', 0)
    hold(event, host)
    now = now + 1 -- a different score for each, so that they keep their order
    replayed = replayed + 1
  end
end
return replayed
