-- Let uploads expire later. ARGV: microseconds until they expire at the earliest, then their ids. Those that do not exist or
-- were deleted stay as they are.
local held_until = now + ARGV[1]
for i = 2, #ARGV do
  local expires_at, deleted_at = unpack(redis.call('HMGET', key('upload:' .. ARGV[i]), 'expires_at', 'deleted_at'))
  if expires_at and not deleted_at and tonumber(expires_at) < held_until then
    expire_upload(ARGV[i], held_until)
    mark_unarchived_record('upload:' .. ARGV[i])
  end
end
