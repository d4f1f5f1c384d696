-- Marks a pepper as withdrawn, and appends the entry that says so. Begins with audit.lua.
--
-- KEYS  further: uses
-- ARGV  further: the version
-- Answers 1, or 0: the log has gone on meanwhile.

local newest, last = nil, 0
local uses = redis.call('HGETALL', KEYS[4])
local since = '0'
for i = 1, #uses, 2 do
  local from, till = string.match(uses[i + 1], '^(%d+)/(%d+)$')
  if uses[i] == ARGV[5] then since = from end
  if till == '0' and tonumber(from) > last then newest, last = uses[i], tonumber(from) end
end
if newest == ARGV[5] then return redis.error_reply('IN_USE new digests are under this pepper') end
if not goes_on() then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[4], ARGV[5], string.format('%s/%.0f', since, time[1] * 1000 + math.floor(time[2] / 1000)))
append()
return 1
