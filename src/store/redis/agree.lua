-- Notes which peppers a replica has, and says which one new digests are to be under: the one that was taken into use last. A replica's first is
-- taken into use once everyone who holds a lease has it; where none is in use yet, its last is, which whoever was here before may have.
--
-- KEYS  uses, known, leases
-- ARGV  holder, its lease (ms), the versions of its peppers, newest first
-- Answers {'use', version}, {'missing', version} of a pepper in use that the replica lacks, or {'withdrawn', version} where all of its are.

local USES, KNOWN, LEASES = unpack(KEYS)
local holder, lease = ARGV[1], ARGV[2]
local versions, has = {}, {}
for i = 3, #ARGV do
  versions[#versions + 1] = ARGV[i]
  has[ARGV[i]] = true
end

local used, withdrawn, last, newest = {}, {}, 0, nil
local uses = redis.call('HGETALL', USES)
for i = 1, #uses, 2 do
  local since, till = string.match(uses[i + 1], '^(%d+)/(%d+)$')
  since = tonumber(since)
  if till ~= '0' then
    withdrawn[uses[i]] = true
  elseif since > 0 then
    if not has[uses[i]] then return {'missing', uses[i]} end
    used[uses[i]] = true
    if since > last then last, newest = since, uses[i] end
  end
end

local first, oldest
for _, version in ipairs(versions) do
  if not withdrawn[version] then first, oldest = first or version, version end
end
if not first then return {'withdrawn', versions[1]} end

-- From here on it is one of those that are asked, though it has no lease yet: it may have one before it is asked again.
redis.call('HSET', KNOWN, holder, '/' .. table.concat(versions, '/') .. '/')
if not redis.call('HGET', LEASES, holder) then redis.call('HSET', LEASES, holder, '0/0/' .. lease) end

local known, registered = {}, {}
local all = redis.call('HGETALL', KNOWN)
for i = 1, #all, 2 do known[all[i]] = all[i + 1] end
all = redis.call('HGETALL', LEASES)
local everyone = true
for i = 1, #all, 2 do
  registered[all[i]] = true
  everyone = everyone and string.find(known[all[i]] or '', '/' .. first .. '/', 1, true) ~= nil
end
for other in pairs(known) do
  if not registered[other] then redis.call('HDEL', KNOWN, other) end
end

local next = not newest and (everyone and first or oldest) or everyone and not used[first] and first
if next then
  local time = redis.call('TIME')
  local now = math.max(time[1] * 1000 + math.floor(time[2] / 1000), last + 1)
  redis.call('HSET', USES, next, string.format('%.0f/0', now))
  newest = next
end
return {'use', newest}
