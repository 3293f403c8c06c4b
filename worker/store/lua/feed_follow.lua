#!lua flags=allow-oom
-- Make a gateway follow feeds, or continue to: from now on it gets their events. ARGV: gateway, seconds for which it follows
-- and the feeds are kept, feeds. Returns the id of the last entry of each feed.
local gateway, seconds = ARGV[1], ARGV[2]
local last = {}
redis.call('SET', key('feeds'), '', 'EX', seconds)
for i = 3, #ARGV do
  local feed, followers = key('feed:', ARGV[i]), key('followers:', ARGV[i])
  if redis.call('EXISTS', feed) == 0 then redis.call('XADD', feed, '*', 'type', '', 'about', '', 'data', '') end
  redis.call('ZREMRANGEBYSCORE', followers, '-inf', now)
  redis.call('ZADD', followers, now + seconds * 1000000, gateway)
  redis.call('EXPIRE', feed, seconds)
  redis.call('EXPIRE', followers, seconds)
  last[#last + 1] = redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1][1]
end
return last
