-- A worker wants an embedding. ARGV: key, worker, seconds. Returns `stored`; `busy` while another worker that lives is
-- making it, for so many seconds at most; or `mine`: this worker is making it from now on.
local embedding, worker, seconds = unpack(ARGV)
local making = key('embedding:' .. embedding)
local maker = redis.call('HGET', making, 'maker')
if maker and maker ~= worker then
  local until_ = redis.call('ZSCORE', key('workers'), maker)
  if until_ and tonumber(until_) * 1000000 > now then
    redis.call('HSET', making, 'wanted', 1)
    return 'busy'
  end
end
if redis.call('ZSCORE', key('embeddings'), embedding) then
  redis.call('ZADD', key('embeddings'), int(now), embedding)
  return 'stored'
end
redis.call('HSET', making, 'maker', worker)
redis.call('EXPIRE', making, seconds)
return 'mine'
