-- Goes on with the log as it is, after it was found rolled back. The places that were found lost are known to be abandoned from now on: who
-- slept through it and comes with one of them stops nobody any more.
--
-- KEYS  audit, where it ends, rolled back, abandoned
-- ARGV  where the audit log must end now, where it ends then, the entry
-- The log that replicas follow has no entry of it, for no record changed. Answers 1, or 0: the audit log has gone on meanwhile.

if redis.call('EXISTS', KEYS[3]) == 0 then return 1 end
if not goes_on_from(KEYS[2], ARGV[1]) then return 0 end
append(KEYS[1], KEYS[2], ARGV[2], ARGV[3])
redis.call('SUNIONSTORE', KEYS[4], KEYS[4], KEYS[3])
redis.call('DEL', KEYS[3])
return 1
