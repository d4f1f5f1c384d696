-- Keeps check values of peppers, all or none. KEYS: the hash of them by version. ARGV: version and check value of each pepper, newest
-- first. Answers nothing, or the place (from 0) of the pepper that is not the store's.
local known = 0
for i = 1, #ARGV, 2 do
  local kept = redis.call('HGET', KEYS[1], ARGV[i])
  if kept and kept ~= ARGV[i + 1] then return (i - 1) / 2 end
  if kept then known = known + 1 end
end
if known == 0 and redis.call('HLEN', KEYS[1]) > 0 then return 0 end
for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return false
