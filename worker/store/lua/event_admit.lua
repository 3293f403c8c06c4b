#!lua flags=allow-oom
-- Give the free places of a host to held events. The reaper calls this for places that became free because a sender died
-- or a message was lost. ARGV: host, its number of places, microseconds for which an event keeps its place. Returns the events.
local host, places, keep = unpack(ARGV)
return admit(host, places, keep)
