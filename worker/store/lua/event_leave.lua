#!lua flags=allow-oom
-- Free the place of an event whose try is over. ARGV: event id, host, the host's number of places, microseconds for which an
-- event keeps its place, seconds for which the host is considered silent (0: it has answered; '': nothing was sent to it).
-- Returns the events that get a place now.
local event, host, places, keep, silent = unpack(ARGV)
redis.call('ZREM', key('sending:', host), event)
if silent == '0' then
  redis.call('DEL', key('silent:', host))
elseif silent ~= '' then
  redis.call('SET', key('silent:', host), '', 'EX', silent)
end
return admit(host, places, keep)
