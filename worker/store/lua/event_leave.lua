#!lua flags=allow-oom
-- A try is over, and its place free. ARGV: event id, host, its places, for how long one is kept, in microseconds, seconds for
-- which the host is taken for silent (0: it has answered; '': it was not asked). Returns the events whose turn it is.
local event, host, places, keep, silent = unpack(ARGV)
redis.call('ZREM', key('sending:' .. host), event)
if silent == '0' then
  redis.call('DEL', key('silent:' .. host))
elseif silent ~= '' then
  redis.call('SET', key('silent:' .. host), '', 'EX', silent)
end
return admit(host, places, keep)
