-- The rule of src/domain/window.rs, at one instant of this server. A differential test keeps the two equal: change both or neither.
--
-- KEYS  the windows of every subject, all of one owner
-- ARGV  now ('' for this server's; only a test names another), want, cost, ttl, share, whether generations are confirmed (1);
--       number of subjects asked, for each: its place in KEYS, generation, number of limits, for each limit: window, most, slot, whether it is
--       a shadow (1), and of a calendar window from when until when its period lasts, and the next one (0 0 0 where it slides);
--       number of returns, for each: its subject's place in KEYS, window, slot's start, tokens. Times are in milliseconds.
-- Answers {'granted', tokens, ttl, told..}, {'refused', until it may fit or -1, told..}, {'returned', told..}, {'stale'} or {'behind'};
-- told of each limit: the start of the slot that counts the tokens or -1, what is left, and in how long there is more.

local LONGEST = 16777215

-- The earliest instant at which the cost fits, or nil.
local function fits_at(limit, cost, now)
  local window, by_end = limit.window, {}
  local over = window.sum + cost - limit.most
  if over <= 0 then return now end
  for i = 1, #window, 3 do by_end[#by_end + 1] = {last = window[i + 1], count = window[i + 2]} end
  table.sort(by_end, function(a, b) return a.last < b.last end)
  for _, slot in ipairs(by_end) do
    over = over - slot.count
    if over <= 0 then return slot.last + window.length end
  end
end

-- The slot that tokens are counted in: of a calendar window its period's, else the newest while that is young.
local function open(limit, now)
  local window = limit.window
  if limit.from then
    for i = 1, #window, 3 do
      if window[i] == limit.from then return i end
    end
  elseif #window > 0 and now - window[#window - 2] < math.max(limit.slot, 1) then
    return #window - 2
  end
end

-- Counts tokens in it, or in a new one, and names it.
local function count(limit, now, last, tokens)
  local window, start, at = limit.window, limit.from or now, open(limit, now)
  if limit.from then last = limit.till end
  if at then
    window[at + 1] = math.max(window[at + 1], last)
    window[at + 2] = window[at + 2] + tokens
  else
    at = #window + 1
    window[at], window[at + 1], window[at + 2] = start, last, tokens
  end
  return window[at]
end

-- What is told of a limit: the slot that counts, what is left, in how long there is more.
local function tell(answer, limit, slot, left, now)
  local oldest
  for i = 2, #limit.window, 3 do oldest = math.min(oldest or limit.window[i], limit.window[i]) end
  local n = #answer
  answer[n + 1], answer[n + 2], answer[n + 3] = slot, left, oldest and oldest + limit.window.length - now or 0
end

local clock = now_or_time()
local want, cost, ttl, share = number(), number(), number(), number()
local is_confirmed = number() == 1
local subjects, asked, limits, now = {}, {}, {}, clock
for i, name in ipairs(KEYS) do subjects[i] = read(name) end
for i = 1, number() do
  local subject = subjects[number()]
  asked[i], subject.asked = subject, number()
  now = math.max(now, subject.latest)
  for _ = 1, number() do
    local limit = {subject = subject, id = number(), most = number(), slot = number(), is_shadow = number() == 1}
    local from, till, next_till = number(), number(), number()
    if limit.id > CALENDAR then limit.from, limit.till, limit.next_till = from, till, next_till end
    if limit.slot + ttl > LONGEST then return redis.error_reply('ERR a slot and a lease together may last four hours at most') end
    limits[#limits + 1] = limit
  end
end
give_all_back(subjects)
for _, subject in ipairs(subjects) do advance(subject, math.max(now, subject.latest)) end

-- What came back is kept whatever the answer is; and so are newer limits, or a charge that knows only older ones would be granted by them.
local stale, behind = false, false
for _, subject in ipairs(asked) do
  local heard_of = is_confirmed and 0 or subject.generation
  stale = stale or subject.asked < heard_of
  local newest = math.max(heard_of, subject.asked)
  if newest ~= subject.generation then subject.generation, subject.touched = newest, true end
end
for _, limit in ipairs(limits) do
  if limit.from and now >= limit.till then
    behind = behind or now >= limit.next_till
    limit.from, limit.till = limit.till, limit.next_till
  end
end
if stale or behind then
  write_touched(subjects, clock)
  return {stale and 'stale' or 'behind'}
end

local room, left, full = 4294967295, {}, false
for i, limit in ipairs(limits) do
  limit.window = find(limit.subject, limit.id)
  if not limit.window then
    limit.window = name_window({sum = 0}, limit.id)
    table.insert(limit.subject, limit.window)
  end
  left[i] = math.max(limit.most - limit.window.sum, 0)
  limit.has_room = left[i] >= cost
  if limit.has_room then room = math.min(room, left[i]) end
  full = full or not (limit.has_room or limit.is_shadow)
end

-- Where nothing is taken.
local function all(answer)
  for i, limit in ipairs(limits) do tell(answer, limit, -1, left[i], now) end
  write_touched(subjects, clock)
  return answer
end
if full then
  local retry_at = now
  for _, limit in ipairs(limits) do
    if not limit.is_shadow then
      local fits = fits_at(limit, cost, now)
      retry_at = fits and retry_at and math.max(retry_at, fits)
    end
  end
  return all({'refused', retry_at and retry_at - clock or -1})
end

local tokens = math.min(want, math.max(cost, math.floor(room / math.max(share, 1))))
if tokens == 0 then return all({'returned'}) end
local last = now + ttl
for _, limit in ipairs(limits) do
  if limit.from then last = math.min(last, limit.till) end
end
local answer = {'granted', tokens, last - now}
for i, limit in ipairs(limits) do
  if limit.has_room then
    tell(answer, limit, count(limit, now, last, tokens), left[i] - tokens, now)
  else
    tell(answer, limit, -1, left[i], now)
  end
end
for _, subject in ipairs(asked) do subject.touched = true end
write_touched(subjects, clock)
return answer
