-- Notes that a holder has applied this log up to a place. Begins with place.lua.
--
-- KEYS  leases; what is only read is named among ARGV, see renew.lua
-- ARGV  position, log; holder, place
-- An incarnation that is not registered is nobody's, and a place of another log, or one that is trimmed away, says nothing.

local POSITION, LOG, holder, place = unpack(ARGV)
local renewals, reached, lease = string.match(redis.call('HGET', KEYS[1], holder) or '', '^(%d+)/(%d+)/(%d+)$')
if not renewals or position_of(place) <= tonumber(reached) then return end
if stands(LOG, redis.call('GET', POSITION) or NOWHERE, place) ~= 'here' then return end
redis.call('HSET', KEYS[1], holder, string.format('%s/%.0f/%s', renewals, position_of(place), lease))
