-- Renews a lease: registers its holder before anything is read, and brings what it has to apply. Begins with place.lua.
--
-- KEYS  leases, longest lease, rolled back: what is written. What is only read is named among ARGV, because whoever calls a script must have
--       the right to write all of its KEYS, and replicas are not to have it there.
-- ARGV  position, log, secured, abandoned; holder, its lease (ms), the place that it has applied or '', the place that it knows to be
--       secured, at most so many entries, which of its renewals it is: it counts them itself, so that a holder that comes back is not taken
--       for what it was
-- Answers {seconds, microseconds, head, secured, longest lease, holders and registrations.., what it is, entries..}; what it is: 'entries',
-- 'jump', 'lost' or 'rolled back'. A registration is `renewals/applied/lease`.

local POSITION, LOG, SECURED, ABANDONED, holder, lease, applied, secured, most, number = unpack(ARGV)
local LEASES, LONGEST, ROLLED_BACK = unpack(KEYS)
local head = redis.call('GET', POSITION) or NOWHERE
local place = applied ~= '' and stands(LOG, head, applied) or 'gone'

local renewals, reached = string.match(redis.call('HGET', LEASES, holder) or '0/0/', '^(%d+)/(%d+)/')
-- Only what is known to be secured is acknowledged: who knows that would notice its loss.
if place == 'here' then reached = math.max(reached, math.min(position_of(applied), position_of(secured))) end
redis.call('HSET', LEASES, holder, string.format('%.0f/%.0f/%s', math.max(renewals, number), reached, lease))
if tonumber(lease) > tonumber(redis.call('GET', LONGEST) or '0') then redis.call('SET', LONGEST, lease) end

-- What was found lost is kept here, for everyone, until an operator says to go on; from then on it is known to be abandoned.
if stands(LOG, head, secured) == 'elsewhere' and redis.call('SISMEMBER', ABANDONED, secured) == 0 then
  redis.call('SADD', ROLLED_BACK, secured)
end

local what, entries = 'jump', {}
if redis.call('EXISTS', ROLLED_BACK) == 1 then
  what = 'rolled back'
elseif place == 'elsewhere' then
  what = 'lost'
elseif place == 'here' then
  what = 'entries'
  entries = redis.call('XRANGE', LOG, string.format('(%.0f-0', position_of(applied)), '+', 'COUNT', most)
end

local time = redis.call('TIME')
local longest = tonumber(redis.call('GET', LONGEST) or '0')
return {time[1], time[2], head, redis.call('GET', SECURED) or NOWHERE, longest, redis.call('HGETALL', LEASES), what, entries}
