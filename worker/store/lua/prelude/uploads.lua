-- Two files of a tenant that workers must make are this far apart in the order in which they are made: as long as an image may
-- take to be fetched.
local FILE_APART = 20 * 1000000

-- The file of an upload is erased this long after the upload has expired: a PUT that began in time, over a slow line, may
-- still run.
local UPLOAD_GRACE = 3600 * 1000000

-- An upload that items of a batch name can be used for this long: the items may wait for their jobs for days. Each job then
-- gets a copy.
local UPLOAD_HELD = 7 * 86400 * 1000000

-- Let an upload expire at a time.
local function expire_upload(id, expires_at)
  redis.call('HSET', key('upload:', id), 'expires_at', int(expires_at))
  redis.call('ZADD', key('uploads:due'), int(expires_at + UPLOAD_GRACE), id)
end
