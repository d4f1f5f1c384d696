-- Applies all changes of a commit, each with its entry in the log, and appends their entry to the audit log, or does nothing: every check stands
-- before the first write.
--
-- KEYS  position, log, audit, where it ends, once, leases, longest lease, secured, barrier, uses of peppers; for every change: records, digests, lists it
--       joins.., lists it leaves.., where it is due..; last, the request if there is one
-- ARGV  fingerprint or '', subject, how long requests are kept (ms), once mark or '', the log's mark, '1' where a write that is answered is as
--       durable as it has to be, how many entries the log keeps, where the audit log must end now, where it ends then, its entry, number of
--       peppers that secrets are put under, those.., number of changes; for every change: id, revision expected ('' for none) and value (both open with the revision in 8 bytes; '' for one that is
--       removed), log entry, 'key/owner', what it is called where it is due, numbers of lists joined, of lists left, of what it is due for, when
--       it is due for each ('' for never), number of digests, digests.., number of digests dropped, digests dropped..
-- Answers {'made' or 'replayed', position, subject, head, longest lease, holders and registrations..}, {'reused'}, {'done'},
-- {'exists', change}, {'conflict'}, {'taken'}, {'withdrawn', pepper}, or {'behind'}: the audit log has gone on meanwhile.

local next_key, next_arg = 10, 10

local function key()
  next_key = next_key + 1
  return KEYS[next_key]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg]
end

local function list(count, item)
  local items = {}
  for i = 1, tonumber(count) do items[i] = item() end
  return items
end

local function change()
  local change = {records = key(), digests = key(), id = arg(), expected = arg(), value = arg(), entry = arg(), holder = arg(), name = arg()}
  change.joins = list(arg(), key)
  change.leaves = list(arg(), key)
  change.due = list(arg(), function() return {key(), arg()} end)
  change.secrets = list(arg(), arg)
  change.dropped = list(arg(), arg)
  return change
end

local fingerprint, subject, lifetime, once, mark, durable, kept = unpack(ARGV, 1, 7)
local after, ends, noted = unpack(ARGV, 8, 10)
local peppers = list(arg(), arg)
local changes = list(arg(), change)
local request = KEYS[next_key + 1]

-- Why the change can't be made, or nil.
local changed, held = {}, {}
local function obstacle(change, number)
  local name = change.records .. '/' .. change.id
  local before = redis.call('HGET', change.records, change.id)
  if changed[name] then return {'conflict'} end
  if change.expected == '' and before then return {'exists', tostring(number)} end
  if change.expected ~= '' and not (before and string.sub(before, 1, 8) == change.expected) then return {'conflict'} end
  changed[name] = true
  for _, digest in ipairs(change.secrets) do
    local place = change.digests .. '/' .. digest
    local holder = held[place] or redis.call('HGET', change.digests, digest)
    if holder and string.match(holder, '^(.-)/') ~= change.id then return {'taken'} end
    held[place] = change.holder
  end
end

local head = redis.call('GET', KEYS[1]) or '0/0000000000000000'
local function answer(word, position, subject)
  local longest = tonumber(redis.call('GET', KEYS[7]) or '0')
  return {word, position, subject, head, longest, redis.call('HGETALL', KEYS[6])}
end

if request then
  local before = redis.call('HMGET', request, 'fingerprint', 'position', 'subject')
  if before[1] == fingerprint then
    -- Behind what was made then, so that whoever waits for this write has waited for that one.
    redis.call('SET', KEYS[9], head)
    return answer('replayed', before[2], before[3])
  end
  if before[1] then return {'reused'} end
end
if once ~= '' and redis.call('SISMEMBER', KEYS[5], once) == 1 then return {'done'} end
for _, pepper in ipairs(peppers) do
  if string.match(redis.call('HGET', KEYS[10], pepper) or '', '/[^0]') then return {'withdrawn', pepper} end
end
for number, change in ipairs(changes) do
  local why = obstacle(change, number)
  if why then return why end
end
if not goes_on_from(KEYS[4], after) then return {'behind'} end

local position = tonumber(string.match(head, '^%d+'))

for _, change in ipairs(changes) do
  position = position + 1
  local id = string.format('%.0f-0', position)
  -- The log first: it is the one write that Redis may refuse, when its position was lost.
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', kept, id, 'mark', mark, 'entry', change.entry)
  if change.value == '' then
    redis.call('HDEL', change.records, change.id)
  else
    redis.call('HSET', change.records, change.id, change.value)
  end
  for _, digest in ipairs(change.dropped) do redis.call('HDEL', change.digests, digest) end
  for _, digest in ipairs(change.secrets) do redis.call('HSET', change.digests, digest, change.holder) end
  for _, ids in ipairs(change.leaves) do redis.call('ZREM', ids, change.id) end
  for _, ids in ipairs(change.joins) do redis.call('ZADD', ids, 0, change.id) end
  for _, due in ipairs(change.due) do
    if due[2] == '' then redis.call('ZREM', due[1], change.name) else redis.call('ZADD', due[1], due[2], change.name) end
  end
end
append(KEYS[3], KEYS[4], ends, noted)

position = string.format('%.0f', position)
if #changes > 0 then head = position .. '/' .. mark end
redis.call('SET', KEYS[1], head)
if durable == '1' then redis.call('SET', KEYS[8], head) end
if once ~= '' then redis.call('SADD', KEYS[5], once) end
if request then
  redis.call('HSET', request, 'fingerprint', fingerprint, 'position', position, 'subject', subject)
  redis.call('PEXPIRE', request, lifetime)
end
return answer('made', position, subject)
