#!lua flags=allow-oom
-- Writes something behind everything that was committed, so that whoever waits for this write has waited for all of it, and reads one record
-- at that instant.
--
-- KEYS  position, leases, longest lease, barrier, secured, records
-- ARGV  the record's id, '1' where a write that is answered is as durable as it has to be
-- Answers {head, longest lease, holders and registrations.., record or nil}.

local head = redis.call('GET', KEYS[1]) or '0/0000000000000000'
redis.call('SET', KEYS[4], head)
if ARGV[2] == '1' then redis.call('SET', KEYS[5], head) end
local longest = tonumber(redis.call('GET', KEYS[3]) or '0')
return {head, longest, redis.call('HGETALL', KEYS[2]), redis.call('HGET', KEYS[6], ARGV[1])}
