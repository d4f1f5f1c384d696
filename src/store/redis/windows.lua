-- How windows are kept, and what changes them whatever is asked: the beginning of every script that touches them.
--
-- A window is known by its length; one of a calendar by a number above CALENDAR, and its slots are periods, from their start to their end.
-- A subject is kept as: latest instant seen (6 bytes), generation (4); for every window its number (4) and how many slots (2); for every
-- slot how long before the latest instant it started (4), how long after its start its last token may be spent (3), and count (4). Periods
-- may start later than the latest instant and last for months: theirs are the seconds since the epoch and how many they last.
--
-- Here a window is a list of numbers, three a slot (start, last, count), oldest slot first: a table for each slot would cost twice as much.

local CALENDAR = 4000000000

local next_arg = 0
local function number()
  next_arg = next_arg + 1
  return tonumber(ARGV[next_arg])
end

-- The next argument, or where it is empty the time here.
local function now_or_time()
  local now = number()
  if now then return now end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- How long after its last token a slot still counts.
local function name_window(window, id)
  window.id, window.length = id, id > CALENDAR and 0 or id
  return window
end

local function read(name)
  local subject = {name = name, latest = 0, generation = 0}
  local text = redis.call('GET', name)
  if not text then return subject end
  local latest, generation, at = struct.unpack('>I6I4', text)
  subject.latest, subject.generation = latest, generation
  while at <= #text do
    local length, slots = struct.unpack('>I4I2', text, at)
    local window = {struct.unpack('>' .. string.rep('I4I3I4', slots), text, at + 6)}
    at, window[#window] = window[#window], nil
    for i = 1, #window, 3 do
      if length > CALENDAR then
        window[i], window[i + 1] = window[i] * 1000, (window[i] + window[i + 1]) * 1000
      else
        window[i] = latest - window[i]
        window[i + 1] = window[i] + window[i + 1]
      end
    end
    name_window(window, length)
    subject[#subject + 1] = window
  end
  return subject
end

-- Kept until nothing of it counts any more. The subject is of no use afterwards.
local function write(subject, clock)
  local latest, over, parts = subject.latest, 0, {struct.pack('>I6I4', subject.latest, subject.generation)}
  for _, window in ipairs(subject) do
    if #window > 0 then
      for i = 1, #window, 3 do
        over = math.max(over, window[i + 1] + window.length)
        if window.id > CALENDAR then
          window[i], window[i + 1] = window[i] / 1000, (window[i + 1] - window[i]) / 1000
        else
          window[i], window[i + 1] = latest - window[i], window[i + 1] - window[i]
        end
      end
      parts[#parts + 1] = struct.pack('>I4I2' .. string.rep('I4I3I4', #window / 3), window.id, #window / 3, unpack(window))
    end
  end
  if over == 0 then return redis.call('DEL', subject.name) end
  return redis.call('SET', subject.name, table.concat(parts), 'PX', over - clock)
end

local function find(subject, id)
  for _, window in ipairs(subject) do
    if window.id == id then return window end
  end
end

local function give_back(subject, id, start, tokens)
  local window = find(subject, id) or {}
  for i = 1, #window, 3 do
    if window[i] == start and tokens > 0 then
      window[i + 2] = math.max(window[i + 2] - tokens, 0)
      subject.touched = true
    end
  end
end

-- Tokens that come back, as the arguments tell: how many times, and for each its subject's place, window, slot's start, and tokens.
local function give_all_back(subjects)
  for _ = 1, number() do give_back(subjects[number()], number(), number(), number()) end
end

-- Drops what no longer counts, and sums what does.
local function advance(subject, now)
  subject.latest = now
  for _, window in ipairs(subject) do
    local kept, sum = 0, 0
    for i = 1, #window, 3 do
      local start, last, count = window[i], window[i + 1], window[i + 2]
      window[i], window[i + 1], window[i + 2] = nil, nil, nil
      if count > 0 and last > now - window.length then
        window[kept + 1], window[kept + 2], window[kept + 3] = start, last, count
        kept, sum = kept + 3, sum + count
      end
    end
    window.sum = sum
  end
end

-- Of subjects that were advanced.
local function write_touched(subjects, clock)
  for _, subject in ipairs(subjects) do
    if subject.touched then write(subject, clock) end
  end
end

