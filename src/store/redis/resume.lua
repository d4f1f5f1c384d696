-- Goes on with the log as it is, after it was found rolled back. The places that were found lost are known to be abandoned from now on: who
-- slept through it and comes with one of them stops nobody any more.
--
-- KEYS  position, audit, rolled back, abandoned
-- ARGV  audit note
-- The log has no entry of it, for no record changed. In the audit log it stands behind the entry of the last change.

if redis.call('EXISTS', KEYS[3]) == 0 then return end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local position = string.match(redis.call('GET', KEYS[1]) or '0', '^%d+')
redis.call('XADD', KEYS[2], position .. '-*', 'at', now, 'note', ARGV[1])
redis.call('SUNIONSTORE', KEYS[4], KEYS[4], KEYS[3])
redis.call('DEL', KEYS[3])
