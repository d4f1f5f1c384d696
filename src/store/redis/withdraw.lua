-- Marks a pepper as withdrawn, and appends the entry that says so. Begins with audit.lua.
--
-- KEYS  audit, where it ends, uses
-- ARGV  where it must end now, where it ends then, the entry, the version
-- Answers 1, or 0: the log has gone on meanwhile.

local newest, last = nil, 0
local uses = redis.call('HGETALL', KEYS[3])
local since = '0'
for i = 1, #uses, 2 do
  local from, till = string.match(uses[i + 1], '^(%d+)/(%d+)$')
  if uses[i] == ARGV[4] then since = from end
  if till == '0' and tonumber(from) > last then newest, last = uses[i], tonumber(from) end
end
if newest == ARGV[4] then return redis.error_reply('IN_USE new digests are under this pepper') end
if not goes_on_from(KEYS[2], ARGV[1]) then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[3], ARGV[4], string.format('%s/%.0f', since, time[1] * 1000 + math.floor(time[2] / 1000)))
append(KEYS[1], KEYS[2], ARGV[2], ARGV[3])
return 1
