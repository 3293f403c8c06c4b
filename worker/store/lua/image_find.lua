-- Find an image that a client sent before, and remember it for longer. ARGV: scope, SHA-256, seconds for which it is
-- remembered from now on. Returns the image, or nothing if it is not known, or if the job that sent it was erased.
local scope, sha256, seconds = unpack(ARGV)
local source = redis.call('GET', key('image:' .. scope .. ':' .. sha256))
if not source then return nil end
local job = string.match(cjson.decode(source).key, '^[^/]*/([^/]*)/')
return keep_known(scope, sha256, job, seconds) and source or nil
