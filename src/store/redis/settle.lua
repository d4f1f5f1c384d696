-- Gives back what a ticket does not count, once.
--
-- KEYS  the tickets of these ten minutes that were settled, the windows of every subject, all of one owner
-- ARGV  now ('' for this server's; only a test names another), the ticket's id, when it was minted, for how long it can be settled from then on,
--       when none of these ten minutes can be settled any more; number of returns, for each: its subject's place among subjects, window,
--       slot's start, tokens. Times are in milliseconds.
-- Answers 'done', 'replayed', or 'too late'.

local clock = now_or_time()
next_arg = next_arg + 1
local id, minted, lives, over = ARGV[next_arg], number(), number(), number()
local subjects, now = {}, clock
for i = 2, #KEYS do
  local subject = read(KEYS[i])
  subjects[i - 1], now = subject, math.max(now, subject.latest)
end
-- Where another primary's clock is behind, what was over stays so: its set may be gone.
if now - minted >= lives then return 'too late' end
if redis.call('SADD', KEYS[1], id) == 0 then return 'replayed' end
redis.call('PEXPIREAT', KEYS[1], over)
give_all_back(subjects)
for _, subject in ipairs(subjects) do advance(subject, math.max(now, subject.latest)) end
write_touched(subjects, clock)
return 'done'
