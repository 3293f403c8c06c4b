-- A feed has the events that clients follow live: those of a job (`job:<id>`), of a batch (`batch:<id>`) or of a tenant
-- (`tenant:<name>`). It exists only while a gateway follows it, and for some minutes afterwards. The key `feeds` exists
-- while there is any feed, so that otherwise an event costs one EXISTS of a short name.

-- About how many entries a feed keeps.
local KEPT_ENTRIES = 1000

-- Add an event to a feed if the feed exists, and send the event to each gateway that follows the feed. `about` is the id of
-- the job or the batch, `data` is further JSON or ''.
local function write_to_feed(feed, kind, about, data)
  local entry = redis.call('XADD', key('feed:', feed), 'NOMKSTREAM', 'MAXLEN', '~', KEPT_ENTRIES, '*',
    'type', kind, 'about', about, 'data', data)
  if not entry then return end
  local message = table.concat({feed, entry, kind, about, data}, '\n')
  for _, gateway in ipairs(redis.call('ZRANGE', key('followers:', feed), now, '+inf', 'BYSCORE')) do
    redis.call('PUBLISH', key('gateway:', gateway), message)
  end
end

-- Write the event `job.<what>` to the feeds of a job and of its tenant, and with `is_end` to that of its batch. An ephemeral
-- job is in no list, so its events are only in its own feed.
local function announce(id, what, batch, ephemeral, is_end)
  if redis.call('EXISTS', key('feeds')) == 0 then return end
  write_to_feed('job:' .. id, 'job.' .. what, id, '')
  if not ephemeral then write_to_feed('tenant:' .. tenant(id), 'job.' .. what, id, '') end
  if batch and is_end then write_to_feed('batch:' .. batch, 'job.' .. what, id, '') end
end

-- Write the event `batch.<what>` to the feeds of a batch and of its tenant.
local function announce_batch(batch, what)
  for _, feed in ipairs({'batch:' .. batch, 'tenant:' .. tenant(batch)}) do write_to_feed(feed, 'batch.' .. what, batch, '') end
end
