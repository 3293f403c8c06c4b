-- Return the kept snapshots of the counters and the time of each, oldest first, then one of now and its time.
local found = redis.call('ZRANGE', key('history'), 0, -1, 'WITHSCORES')
found[#found + 1] = snapshot()
found[#found + 1] = int(now)
return found
