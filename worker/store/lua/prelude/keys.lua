-- Each script is preceded by the definitions of this folder that it uses (worker/store/scripts.py). A definition begins with
-- `local` at the start of a line. A script whose first line is `#!lua flags=allow-oom` also runs when Redis is out of
-- memory: it ends a job, erases one or records an event, and adds little. A script without that line adds data, and Redis
-- refuses it then.
--
-- Only scripts change the state of a job: Redis runs one script at a time, and a script uses Redis's own clock.
--
-- KEYS[1] is the prefix of all keys. The scripts build the names of their keys themselves, so they need a single Redis, not
-- a cluster; Celery's queues need that anyway.
--
-- Ids of jobs, events and endpoints begin with their tenant and a dot (`acme.car-1`), except those of the tenant `default`,
-- which have no dot. <t> is that beginning: `acme.`, or nothing for `default`.
--
-- Times are microseconds since 1970 except where this list says seconds. "Expires" means that the key has a time to live.
--
--   job:<id>       hash    the record of a job; its `status` is authoritative
--   input:<id>     string  the image of a job, until the image is in object storage
--   result:<id>    string  the small result of a job that has succeeded, which is in object storage too; expires
--   results        list    the size and the id of each kept result, with a space between them, the oldest first
--   result_bytes   string  the sum of these sizes
--   ephemeral_results, ephemeral_result_bytes  the same for the results of ephemeral jobs, which are only in result:<id>
--   image:<s>:<d>  string  the stored image with the SHA-256 d, which a client of the scope s sent; expires
--   key:<key>      hash    the job that was accepted under an idempotency key, and its fingerprint; expires
--   erased:<id>    string  a job with this id was erased: if its batch had not completed,
--                          its batch, a space and its item; expires
--   <t>jobs        zset    every job of a tenant; score: accepted_at
--   <t>jobs:<status> zset  the jobs of one status; score: accepted_at
--   <t>ephemeral:<status> zset  the ephemeral jobs that are queued or running, which are in no other list of jobs; score:
--                          accepted_at. The record of one that has ended expires
--   ephemeral_bytes string the size of the images of these jobs, which are kept in input:<id> and never stored elsewhere
--   ephemeral_bytes:<tenant>  the same for the jobs of one tenant
--   waiting:<q>    zset    queued jobs that a worker with a permit may begin; score: since when they wait
--   line:<q>:<l>:<tenant> zset  the waiting jobs of one tenant in the lane l; score: their order
--   lanes:<q>      hash    how many jobs wait in each lane of the queue q
--   turns:<q>      zset    lanes with waiting jobs; score: their turn, see lines.lua
--   turns:<q>:<l>  zset    tenants with waiting jobs in the lane l; score: their turn
--   clock:<q>      string  the turn of a lane that was taken last
--   left:<q>       zset    lanes without waiting jobs whose turn is later than the turn that was taken last; score: their turn
--   clock:<q>:<l>, left:<q>:<l>  the same for the tenants of the lane l
--   made:<m>:<d>   string  a job on the image with the digest d (an id of its tenant) has just succeeded with the model m; expires
--   delayed        zset    queued jobs that wait for their next attempt; score: when it is due
--   leases         zset    running jobs; score: when their lease ends
--   deadlines      zset    jobs with a deadline; score: start_by before the first start; while the job runs, the
--                          earlier of run_by and some time after a cancel request
--   ended          zset    jobs in a final status; score: completed_at
--   erasing        zset    ids of erased jobs whose files are not deleted yet; score: when the reaper deletes them
--   erasing_groups hash    the groups of documents that have a record of one of these jobs, by the job's id
--   unarchived     zset    jobs whose latest document is not in storage yet; score: when the reaper writes it
--   batch:<id>     hash    a batch; it has `sealed_at` once its manifest is complete, `canceled_at`, `completed_at` while all its
--                          items have ended, `deleted_at` while it is erased, `recovering` while its items are restored
--   <t>batches     zset    every batch of a tenant; score: created_at
--   <t>batches:open zset   those that have not completed; score: created_at
--   batches:unsealed zset  batches whose manifest is not complete; score: when they were made or got their last item
--   batches:due    zset    batches that the feeder must look at; score: when
--   batches:ended  zset    batches that have completed; score: completed_at
--   batch_items:<b> hash   the items of a batch by their ids: the number of the chunk in storage that has the item, a space,
--                          and the fingerprint of the item
--   batch_chunks:<b> zset  the chunks of the manifest; score: their number
--   batch_unfed:<b> zset   those with items that wait for their jobs
--   batch_counts:<b> hash  how many items have a job in each status, or a job that was erased (`deleted`); `chunks`: the number
--                          of the last chunk; `notified_at`, `announced_at`: of the last event about the
--                          progress for webhooks and in feeds; `fed`: the chunk that is fed now and the position of the next item in it
--   batch_jobs:<b> zset    the jobs of a batch; score: accepted_at
--   batch_told:<b> list    the ids of the last events of a batch, the oldest event first
--   batch_open:<b> set     those that have not ended
--   feed:<f>       stream  the last events of a feed, see feeds.lua; expires some minutes after its last follower
--   feeds          string  exists while there is any feed; expires
--   followers:<f>  zset    the gateways that follow a feed; score: until when; expires
--   erased_batch:<id> string  a batch with this id was deleted; expires
--   upload:<id>    hash    a file that a client may put into storage; it has `deleted_at` from its deletion until it is erased
--   <t>uploads     zset    every upload of a tenant, except deleted ones; score: created_at
--   uploads:due    zset    every upload; score: when a reaper erases it
--   asked:<id> <name> string  a client has asked for this file of a job, which a worker makes; or why it could not be made, as
--                          JSON; expires
--   asked_files    zset    these files; score: their order
--   asked_counts   hash    how many of them each tenant has
--   endpoint:<id>  hash    a receiver of events of all jobs of its tenant; it has `disabled_at` while it is disabled
--   <t>endpoints   zset    every endpoint of a tenant; score: created_at
--   apikey:<id>    hash    an API key, with hashes of its secrets; it has `revoked_at` once it is revoked
--   apikeys        zset    every API key; score: created_at
--   session:<d>    hash    a session of a browser, by the SHA-256 of its token: the key that it stands for; expires
--   sessions:<key> zset    the sessions of an API key; score: when they were created; expires
--   rate:...       string  the library `limits` counts requests and prompts of a key in a minute; expires
--   tenant:<name>  hash    a tenant, with the secret that signs the webhooks of its jobs; `default` has none
--   tenants        zset    every tenant except `default`; score: created_at
--   <t>stored_bytes string the sum of `input_bytes` and `output_bytes` of a tenant's jobs, and the sizes of its uploads
--   <t>usage:<day> hash    what a tenant used on a day (UTC, days since 1970): how many jobs were accepted and ended in each
--                          status, and the work of those that stored a result; expires
--   unarchived_records zset names of records of tenants, API keys, endpoints and batches that have changed since their copy in
--                          storage was written, or were deleted; score: since when
--   tests:<e>      list    the last test events of an endpoint, oldest first
--   event:<id>     hash    a webhook event; the script that changes the job's status also writes the event and its id
--   deliveries:<e> list    the last tries of an event, newest first
--   told:<id>      list    the ids of the events of a job, the oldest event first
--   told_to:<e>    zset    the events of jobs for an endpoint; score: when they happened
--   events:due     zset    events not yet delivered, except held ones; score: when the next try is due
--   sending:<host> zset    events that have a place at a host: each place allows one try at a time; score: when the place
--                          becomes free at the latest
--   held:<host>    zset    events that wait for a place at a host; score: since when
--   held           set     hosts that may have held events
--   silent:<host>  string  the last try at this host got no answer; expires
--   q:<queue>      list    Celery's messages; in a queue of jobs each is a permit to begin one job, and there is at least one for
--                          each waiting job
--   workers        zset    workers that are alive; score: when they are considered dead, in seconds
--   worker_models  hash    the report of each of these workers: itself, and which models it has installed and loaded, as JSON
--   lost_workers   zset    workers that died without leaving, as far as another worker has noticed; score: when they were
--                          considered dead, in seconds; expires
--   embedding:<k>  hash    `maker`: the worker that is making an embedding; `wanted`: other workers asked for it; expires
--   embeddings     zset    embeddings that are in storage; score: when they were last used
--   embedding_sizes hash   the size of each of these embeddings, in bytes
--   embedding_bytes string the sum of these sizes
--   counts         hash    for metrics: how many jobs ended in each status, how many embeddings were hit, shared or missed,
--                          how many event streams ended for each reason
--   latencies      hash    how many jobs waited (`wait <n>`) and how many attempts ran (`run <n>`) for a time in the range n
--   history        zset    snapshots of these counters as JSON, one for each minute; score: when
--   streams        hash    how many event streams each gateway has open, a space, and until when that counts, in seconds

-- The full name of a key, as `key('jobs')`, or as `key('job:', id)`: that takes half as long as to add the id first.
local prefix = KEYS[1]
local function key(name, id) return prefix .. name .. (id or '') end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] -- microseconds; exact in a double until the year 2255
-- A whole number as text. Redis writes the numbers among the arguments of `redis.call` so itself.
local function int(number) return string.format('%d', number) end

-- Return the beginning of an id, `acme.`, or '' for the tenant `default`; and the id as its tenant sees it. A pattern would take
-- twenty times as long: it tries each position of a UUID for the dot.
local owners = {} -- by id, because a script asks several times for the id of its job
local function owner(id)
  if not owners[id] then owners[id] = string.sub(id, 1, string.find(id, '.', 1, true) or 0) end
  return owners[id]
end
local function shown(id) return string.sub(id, #owner(id) + 1) end

-- The process that accepts or ends a job writes the job's document soon after. A reaper writes a document that is later than this.
local ARCHIVED_WITHIN = 5 * 1000000
local function mark_unarchived(id) redis.call('ZADD', key('unarchived'), now + ARCHIVED_WITHIN, id) end

-- The scores of one record grow, also if two scripts run in the same microsecond: `record_archived` compares them.
local function mark_unarchived_record(name)
  local before = redis.call('ZSCORE', key('unarchived_records'), name)
  redis.call('ZADD', key('unarchived_records'), int(before and math.max(now, before + 1) or now), name)
end
