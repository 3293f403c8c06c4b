-- Decide how a worker gets an embedding. ARGV: key, worker, seconds that a worker may take to make it.
-- Returns `stored`: it is in storage; `busy`: another worker, which is alive, is making it and has not used up its seconds;
-- or `mine`: this worker makes it now.
local embedding, worker, seconds = unpack(ARGV)
local making = key('embedding:', embedding)
local maker = redis.call('HGET', making, 'maker')
if maker and maker ~= worker then
  local alive_until = redis.call('ZSCORE', key('workers'), maker)
  if alive_until and tonumber(alive_until) * 1000000 > now then
    redis.call('HSET', making, 'wanted', 1)
    return 'busy'
  end
end
if redis.call('ZSCORE', key('embeddings'), embedding) then
  redis.call('ZADD', key('embeddings'), now, embedding)
  return 'stored'
end
redis.call('HSET', making, 'maker', worker)
redis.call('EXPIRE', making, seconds)
return 'mine'
