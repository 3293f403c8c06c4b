-- Deliver events again, whatever has become of them, each when a place at the host is free. ARGV: host, then event ids.
-- Returns how many there are of them.
local host, replayed = ARGV[1], 0
for i = 2, #ARGV do
  local event = ARGV[i]
  if redis.call('EXISTS', key('event:' .. event)) == 1 then
    unhold(event)
    redis.call('HSET', key('event:' .. event), 'state', 'pending', 'tries', 0)
    hold(event, host)
    now = now + 1 -- a line has an order
    replayed = replayed + 1
  end
end
return replayed
