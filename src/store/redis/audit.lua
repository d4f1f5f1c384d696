-- The audit log: a stream whose ids are its entries' numbers, and where it ends, `number/hash`. An entry is made to follow another and sealed
-- before it comes here; where the log has gone on meanwhile, it has to be made anew.

local function goes_on_from(head, after)
  return (redis.call('GET', head) or '') == after
end

-- `kept`: the number of the first entry that is kept, where others are dropped.
local function append(log, head, ends, entry, kept)
  local id = string.match(ends, '^%d+') .. '-0'
  if kept then
    redis.call('XADD', log, 'MINID', kept .. '-0', id, 'entry', entry)
  else
    redis.call('XADD', log, id, 'entry', entry)
  end
  redis.call('SET', head, ends)
end

