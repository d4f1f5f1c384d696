-- The rule of src/domain/window.rs, at one instant of this server. A differential test keeps the two equal: change both or neither.
--
-- KEYS  the windows of every subject, all of one owner
-- ARGV  now ('' for this server's; only a test names another), want, cost, ttl, share;
--       number of subjects asked, for each: its place in KEYS, generation, number of limits, for each limit: length, most, slot;
--       number of returns, for each: its subject's place in KEYS, length, slot's start, tokens. Times are in milliseconds.
-- Answers {'granted', tokens, slots' starts.., left..}, {'refused', until it may fit or -1, left..}, {'returned', left..} or {'stale'}.
--
-- A subject is kept as: latest instant seen (6 bytes), generation (4); for every window its length (4) and number of slots (2); for every
-- slot how long before the latest instant it started (4), how long after its start its last token may be spent (3), and count (4).

local LONGEST = 16777215

local next_arg = 0
local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg]
end
local function number()
  return tonumber(arg())
end

local function read(name)
  local subject = {name = name, latest = 0, generation = 0, windows = {}}
  local text = redis.call('GET', name)
  if not text then return subject end
  local latest, generation, at = struct.unpack('>I6I4', text)
  subject.latest, subject.generation = latest, generation
  while at <= #text do
    local length, count, slots = 0, 0, {}
    length, count, at = struct.unpack('>I4I2', text, at)
    for i = 1, count do
      local ago, lasts, tokens
      ago, lasts, tokens, at = struct.unpack('>I4I3I4', text, at)
      slots[i] = {start = latest - ago, last = latest - ago + lasts, count = tokens}
    end
    table.insert(subject.windows, {length = length, slots = slots})
  end
  return subject
end

-- Kept until nothing of it counts any more.
local function write(subject, clock)
  local over, parts = 0, {struct.pack('>I6I4', subject.latest, subject.generation)}
  for _, window in ipairs(subject.windows) do
    if #window.slots > 0 then
      table.insert(parts, struct.pack('>I4I2', window.length, #window.slots))
      for _, slot in ipairs(window.slots) do
        over = math.max(over, slot.last + window.length)
        table.insert(parts, struct.pack('>I4I3I4', subject.latest - slot.start, slot.last - slot.start, slot.count))
      end
    end
  end
  if over == 0 then return redis.call('DEL', subject.name) end
  return redis.call('SET', subject.name, table.concat(parts), 'PX', over - clock)
end

local function find(subject, length)
  for _, window in ipairs(subject.windows) do
    if window.length == length then return window end
  end
end

local function window_of(subject, length)
  local window = find(subject, length)
  if not window then
    window = {length = length, slots = {}}
    table.insert(subject.windows, window)
  end
  return window
end

-- Drops what no longer counts.
local function advance(subject, now)
  subject.latest = now
  for _, window in ipairs(subject.windows) do
    local kept = {}
    for _, slot in ipairs(window.slots) do
      if slot.count > 0 and slot.last > now - window.length then table.insert(kept, slot) end
    end
    window.slots = kept
  end
end

local function sum(window)
  local total = 0
  for _, slot in ipairs(window.slots) do total = total + slot.count end
  return total
end

-- The earliest instant at which the cost fits, or nil.
local function fits_at(limit, cost, now)
  local over = sum(limit.window) + cost - limit.most
  if over <= 0 then return now end
  local by_end = {}
  for i, slot in ipairs(limit.window.slots) do by_end[i] = slot end
  table.sort(by_end, function(a, b) return a.last < b.last end)
  for _, slot in ipairs(by_end) do
    over = over - slot.count
    if over <= 0 then return slot.last + limit.length end
  end
end

local function give_back(subject, length, start, tokens)
  local window = find(subject, length)
  for _, slot in ipairs(window and window.slots or {}) do
    if slot.start == start and slot.count > 0 then
      slot.count = math.max(slot.count - tokens, 0)
      subject.touched = true
    end
  end
end

local function count(limit, now, last, tokens)
  local slots = limit.window.slots
  local newest = slots[#slots]
  if newest and now - newest.start < math.max(limit.slot, 1) then
    newest.count, newest.last = newest.count + tokens, math.max(newest.last, last)
    return newest.start
  end
  table.insert(slots, {start = now, last = last, count = tokens})
  return now
end

local clock = number()
local want, cost, ttl, share = number(), number(), number(), number()
if not clock then
  local time = redis.call('TIME')
  clock = time[1] * 1000 + math.floor(time[2] / 1000)
end

local subjects, asked, limits = {}, {}, {}
for i, name in ipairs(KEYS) do subjects[i] = read(name) end
for _ = 1, number() do
  local subject = subjects[number()]
  table.insert(asked, subject)
  subject.asked = number()
  for _ = 1, number() do
    local limit = {subject = subject, length = number(), most = number(), slot = number()}
    if limit.slot + ttl > LONGEST then return redis.error_reply('ERR a slot and a lease together may last four hours at most') end
    table.insert(limits, limit)
  end
end
for _ = 1, number() do
  give_back(subjects[number()], number(), number(), number())
end

local now = clock
for _, subject in ipairs(asked) do now = math.max(now, subject.latest) end
for _, subject in ipairs(subjects) do advance(subject, math.max(now, subject.latest)) end

-- What came back is kept whatever the answer is; and so are newer limits, or a charge that knows only older ones would be granted by them.
local stale = false
for _, subject in ipairs(asked) do
  stale = stale or subject.asked < subject.generation
  if subject.asked > subject.generation then subject.generation, subject.touched = subject.asked, true end
end
local function keep()
  for _, subject in ipairs(subjects) do
    if subject.touched then write(subject, clock) end
  end
end
if stale then
  keep()
  return {'stale'}
end

local room, left = 4294967295, {}
for i, limit in ipairs(limits) do
  limit.window = window_of(limit.subject, limit.length)
  left[i] = math.max(limit.most - sum(limit.window), 0)
  room = math.min(room, left[i])
end
if want == 0 and cost == 0 then
  keep()
  return {'returned', unpack(left)}
end
if room < cost then
  local retry_at = now
  for _, limit in ipairs(limits) do
    local fits = fits_at(limit, cost, now)
    retry_at = fits and retry_at and math.max(retry_at, fits)
  end
  keep()
  return {'refused', retry_at and retry_at - clock or -1, unpack(left)}
end

local tokens = math.min(want, math.max(cost, math.floor(room / math.max(share, 1))))
local answer = {'granted', tokens}
for _, limit in ipairs(limits) do table.insert(answer, count(limit, now, now + ttl, tokens)) end
for i in ipairs(limits) do table.insert(answer, left[i] - tokens) end
for _, subject in ipairs(asked) do subject.touched = true end
keep()
return answer
