-- Goes on with the log as it is, after it was found rolled back. The places that were found lost are known to be abandoned from now on: who
-- slept through it and comes with one of them stops nobody any more. Begins with audit.lua.
--
-- KEYS  further: rolled back, abandoned
-- The log that replicas follow has no entry of it, for no record changed. Answers 1, or 0: the audit log has gone on meanwhile.

if redis.call('EXISTS', KEYS[4]) == 0 then return 1 end
if not goes_on() then return 0 end
append()
redis.call('SUNIONSTORE', KEYS[5], KEYS[5], KEYS[4])
redis.call('DEL', KEYS[4])
return 1
