-- Removes a holder whose lease has ended, unless it has renewed it since.
--
-- KEYS  leases
-- ARGV  holder, renewals that it was seen with

local renewals = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^(%d+)/')
if renewals == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
