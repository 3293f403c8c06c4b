#!lua flags=allow-oom
-- The reaper gives the free places of a host to held events: a place becomes free without this if a sender died or a message
-- was lost. ARGV: host, its number of places, microseconds for which an event keeps its place. Returns the events.
local host, places, keep = unpack(ARGV)
return admit(host, places, keep)
