-- Renews a lease: registers its holder before anything is read, and brings what it has to apply. Begins with place.lua.
--
-- KEYS  position, log, leases, longest lease, secured, rolled back, abandoned
-- ARGV  holder, its lease (ms), the place that it has applied or '', the place that it knows to be secured, at most so many entries
-- Answers {seconds, microseconds, head, secured, longest lease, holders and registrations.., what it is, entries..}; what it is: 'entries',
-- 'jump', 'lost' or 'rolled back'. A registration is `renewals/applied/lease`.

local holder, lease, applied, secured, most = unpack(ARGV)
local head = redis.call('GET', KEYS[1]) or NOWHERE
local place = applied ~= '' and stands(KEYS[2], head, applied) or 'gone'

local renewals, reached = string.match(redis.call('HGET', KEYS[3], holder) or '0/0/', '^(%d+)/(%d+)/')
if place == 'here' then reached = math.max(reached, position_of(applied)) end
redis.call('HSET', KEYS[3], holder, string.format('%.0f/%.0f/%s', renewals + 1, reached, lease))
if tonumber(lease) > tonumber(redis.call('GET', KEYS[4]) or '0') then redis.call('SET', KEYS[4], lease) end

-- What was found lost is kept here, for everyone, until an operator says to go on; from then on it is known to be abandoned.
if stands(KEYS[2], head, secured) == 'elsewhere' and redis.call('SISMEMBER', KEYS[7], secured) == 0 then
  redis.call('SADD', KEYS[6], secured)
end

local what, entries = 'jump', {}
if redis.call('EXISTS', KEYS[6]) == 1 then
  what = 'rolled back'
elseif place == 'elsewhere' then
  what = 'lost'
elseif place == 'here' then
  what = 'entries'
  entries = redis.call('XRANGE', KEYS[2], string.format('(%.0f-0', position_of(applied)), '+', 'COUNT', most)
end

local time = redis.call('TIME')
local longest = tonumber(redis.call('GET', KEYS[4]) or '0')
return {time[1], time[2], head, redis.call('GET', KEYS[5]) or NOWHERE, longest, redis.call('HGETALL', KEYS[3]), what, entries}
