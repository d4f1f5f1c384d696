-- The audit log: a stream whose ids are its entries' numbers, and where it ends, `number/hash/version/seal`. An entry is made to follow another and sealed
-- before it comes here; where the log has gone on meanwhile, it has to be made anew. Whoever was too late again and again takes a turn, and nobody
-- else appends until that one has come, or has not come in time.
--
-- Of every script that begins with this:
-- KEYS  audit, where it ends, whose turn it is
-- ARGV  who comes, where the log must end now, where it ends then, the entry

local whose = redis.call('GET', KEYS[3])
if whose == ARGV[1] then redis.call('DEL', KEYS[3]) end

local function goes_on()
  return (not whose or whose == ARGV[1]) and (redis.call('GET', KEYS[2]) or '') == ARGV[2]
end

-- `kept`: the number of the first entry that is kept, where others are dropped.
local function append(kept)
  local id = string.match(ARGV[3], '^%d+') .. '-0'
  if kept then
    redis.call('XADD', KEYS[1], 'MINID', kept .. '-0', id, 'entry', ARGV[4])
  else
    redis.call('XADD', KEYS[1], id, 'entry', ARGV[4])
  end
  redis.call('SET', KEYS[2], ARGV[3])
end

