-- Appends an entry to the audit log, and drops those that it says are dropped. Begins with audit.lua.
--
-- ARGV  further: the first number that is not dropped or ''
-- Answers 1, or 0: the log has gone on meanwhile.

if not goes_on() then return 0 end
append(ARGV[5] ~= '' and ARGV[5])
return 1
