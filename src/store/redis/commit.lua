-- Applies all changes of a commit, each with its entry in the log, and appends their entry to the audit log, or does nothing: every check stands
-- before the first write. Begins with audit.lua.
--
-- KEYS  further: position, log, once, leases, longest lease, secured, barrier, uses of peppers; then for each time that new keys are told: keys,
--       digests, keys by owner; then one for each group below, in their order; last, the request if there is one
-- ARGV  further: fingerprint or '', subject, how long requests are kept (ms), once mark or '', the log's mark, '1' where a write that is answered
--       is as durable as it has to be, how many entries the log keeps; each with its number before it: peppers that secrets are put under, log
--       entries; then new keys, with the number of times before them (number, and of each: id, digest, record, owner and id); then groups, with their number
--       before them: records that must not be there (number, ids..), digests that must be free (number, digests..), records that must be there
--       (number, ids..), records that must be of a revision (id, the 8 bytes that its value opens with), writes (command, number, arguments..)
-- Answers {'made' or 'replayed', position, subject, head, longest lease, holders and registrations..}, {'reused'}, {'done'},
-- {'exists', records, id}, {'conflict'}, {'taken'}, {'withdrawn', pepper}, or {'behind'}: the audit log has gone on meanwhile.

local next_key, next_arg = 11, 11

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

-- A table, and where its arguments begin and end.
local function group()
  local count = tonumber(arg())
  next_arg = next_arg + count
  return {name = key(), first = next_arg - count + 1, last = next_arg}
end

-- New keys of one realm, as the calls that look for them and that write them take them.
local function new_keys()
  local new = {ids = {}, digests = {}, records = {}, holders = {}, by_owner = {}}
  new.in_keys, new.in_digests, new.in_by_owner = key(), key(), key()
  for i = 1, tonumber(arg()) do
    local id, digest, record, by_owner = unpack(ARGV, next_arg + 1, next_arg + 4)
    local field, value = 2 * i - 1, 2 * i
    next_arg = next_arg + 4
    new.ids[i], new.digests[i] = id, digest
    new.records[field], new.records[value] = id, record
    new.holders[field], new.holders[value] = digest, by_owner
    new.by_owner[field], new.by_owner[value] = '0', by_owner
  end
  return new
end

local position_name, log, done, leases, longest_lease, secured, barrier, uses = unpack(KEYS, 4, 11)
local fingerprint, subject, lifetime, once, mark, durable, kept = unpack(ARGV, 5, 11)
local peppers = list(arg(), arg)
local entries = list(arg(), arg)
local new = list(arg(), new_keys)
local absent = list(arg(), group)
local free = list(arg(), group)
local present = list(arg(), group)
local expected = list(arg(), function() return {name = key(), id = arg(), revision = arg()} end)
local writes = list(arg(), function() return {command = arg(), group = group()} end)
local request = KEYS[next_key + 1]

-- The first of what a hash may not have that it has, or nil.
local function there(name, fields, first, last)
  local found = redis.call('HMGET', name, unpack(fields, first, last))
  for number, value in ipairs(found) do
    if value then return fields[first + number - 1] end
  end
end

-- Why the commit can't be made, or nil.
local function obstacle()
  for _, new in ipairs(new) do
    local id = there(new.in_keys, new.ids, 1, #new.ids)
    if id then return {'exists', new.in_keys, id} end
  end
  for _, group in ipairs(absent) do
    local id = there(group.name, ARGV, group.first, group.last)
    if id then return {'exists', group.name, id} end
  end
  for _, record in ipairs(expected) do
    local before = redis.call('HGET', record.name, record.id)
    if not before or string.sub(before, 1, 8) ~= record.revision then return {'conflict'} end
  end
  for _, new in ipairs(new) do
    if there(new.in_digests, new.digests, 1, #new.digests) then return {'taken'} end
  end
  for _, group in ipairs(free) do
    if there(group.name, ARGV, group.first, group.last) then return {'taken'} end
  end
end

local head = redis.call('GET', position_name) or '0/0000000000000000'
local function answer(word, position, subject)
  local longest = tonumber(redis.call('GET', longest_lease) or '0')
  return {word, position, subject, head, longest, redis.call('HGETALL', leases)}
end

if request then
  local before = redis.call('HMGET', request, 'fingerprint', 'position', 'subject')
  if before[1] == fingerprint then
    -- Behind what was made then, so that whoever waits for this write has waited for that one.
    redis.call('SET', barrier, head)
    return answer('replayed', before[2], before[3])
  end
  if before[1] then return {'reused'} end
end
if once ~= '' and redis.call('SISMEMBER', done, once) == 1 then return {'done'} end
for _, pepper in ipairs(peppers) do
  if string.match(redis.call('HGET', uses, pepper) or '', '/[^0]') then return {'withdrawn', pepper} end
end
local why = obstacle()
if why then return why end
if not goes_on() then return {'behind'} end
-- Last: one that the commit before was to make is no reason to look at everything anew where that one is not there yet.
for _, group in ipairs(present) do
  for _, value in ipairs(redis.call('HMGET', group.name, unpack(ARGV, group.first, group.last))) do
    if not value then return {'conflict'} end
  end
end

local position = tonumber(string.match(head, '^%d+'))

-- The log first: it is the one write that Redis may refuse, when its position was lost.
for _, entry in ipairs(entries) do
  position = position + 1
  redis.call('XADD', log, 'MAXLEN', '~', kept, string.format('%.0f-0', position), 'mark', mark, 'entry', entry)
end
for _, new in ipairs(new) do
  redis.call('HSET', new.in_digests, unpack(new.holders))
  redis.call('HSET', new.in_keys, unpack(new.records))
  redis.call('ZADD', new.in_by_owner, unpack(new.by_owner))
end
for _, write in ipairs(writes) do
  redis.call(write.command, write.group.name, unpack(ARGV, write.group.first, write.group.last))
end
append()

position = string.format('%.0f', position)
if #entries > 0 then head = position .. '/' .. mark end
redis.call('SET', position_name, head)
if durable == '1' then redis.call('SET', secured, head) end
if once ~= '' then redis.call('SADD', done, once) end
if request then
  redis.call('HSET', request, 'fingerprint', fingerprint, 'position', position, 'subject', subject)
  redis.call('PEXPIRE', request, lifetime)
end
return answer('made', position, subject)
