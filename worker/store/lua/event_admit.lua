#!lua flags=allow-oom
-- The reaper gives away places of a host that are free because a sender died, or a message was lost.
-- ARGV: host, its places, for how long one is kept, in microseconds.
local host, places, keep = unpack(ARGV)
return admit(host, places, keep)
