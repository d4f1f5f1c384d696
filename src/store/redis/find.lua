-- Finds the key that one of the digests belongs to, its owner, and the log's head, at one instant.
--
-- KEYS  position, digests, keys, owners: the names of one realm
-- ARGV  digests
-- Answers {seconds, microseconds, head, 'key/owner' or nil, key's record or nil, owner's record or nil}.

local time = redis.call('TIME')
local head = redis.call('GET', KEYS[1]) or '0/0000000000000000'

for _, digest in ipairs(ARGV) do
  local holder = redis.call('HGET', KEYS[2], digest)
  if holder then
    local owner, key = string.match(holder, '^(.-) (.*)$')
    return {time[1], time[2], head, holder, redis.call('HGET', KEYS[3], key), redis.call('HGET', KEYS[4], owner)}
  end
end
return {time[1], time[2], head, false, false, false}
