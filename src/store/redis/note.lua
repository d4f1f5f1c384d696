-- Appends an entry to the audit log, and drops those that it says are dropped.
--
-- KEYS  audit, where it ends
-- ARGV  where it must end now, where it ends then, the entry, the first number that is not dropped or ''
-- Answers 1, or 0: the log has gone on meanwhile.

if not goes_on_from(KEYS[2], ARGV[1]) then return 0 end
append(KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4] ~= '' and ARGV[4])
return 1
