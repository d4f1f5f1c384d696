-- What is due, from behind a place in the list on. Members of one score stand in the order of their bytes.
--
-- KEYS  keys by when they are due
-- ARGV  before when (exclusive, ms), how many, and the place: since when, and the member, which may be gone; both '' from the start on
-- Answers member, score, member, score..

-- Lua's own comparison of strings goes by the locale.
local function is_behind(one, other)
  for i = 1, math.min(#one, #other) do
    local left, right = string.byte(one, i), string.byte(other, i)
    if left ~= right then return left > right end
  end
  return #one > #other
end

local set, before, count, since, member = KEYS[1], '(' .. ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local first, beyond = 0, 0
if since ~= '' then
  first = redis.call('ZCOUNT', set, '-inf', '(' .. since)
  beyond = redis.call('ZCOUNT', set, '-inf', since)
end
while first < beyond do
  local middle = math.floor((first + beyond) / 2)
  if is_behind(redis.call('ZRANGE', set, middle, middle)[1], member) then beyond = middle else first = middle + 1 end
end
return redis.call('ZRANGEBYSCORE', set, '-inf', before, 'WITHSCORES', 'LIMIT', first, count)
