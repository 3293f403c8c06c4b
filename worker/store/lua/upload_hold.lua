-- Let uploads expire later, because items of a batch name them. ARGV: their ids. Those that do not exist or were deleted stay as
-- they are.
for _, id in ipairs(ARGV) do
  local expires_at, deleted_at = unpack(redis.call('HMGET', key('upload:', id), 'expires_at', 'deleted_at'))
  if expires_at and not deleted_at then expire_upload(id, math.max(expires_at, now + UPLOAD_HELD)) end
end
