-- Notes that everything up to a place is as durable as it has to be. Begins with place.lua.
--
-- KEYS  position, log, secured
-- ARGV  place

local place, before = ARGV[1], redis.call('GET', KEYS[3]) or NOWHERE
if position_of(place) > position_of(before) and stands(KEYS[2], redis.call('GET', KEYS[1]) or NOWHERE, place) == 'here' then
  redis.call('SET', KEYS[3], place)
end
