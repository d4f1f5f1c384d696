-- Adds to what is counted of an owner and of some of its keys, once for each piece.
--
-- KEYS  the owner's text that tells what was added, then texts of counts, then texts of last uses, all of one owner
-- ARGV  who counted, the piece's number, for how long the first text is kept; number of texts of counts, for each: for how long it is kept,
--       number of places, for each: the place, number of counters, for each: counter, count; then for every text of last uses: for how long
--       it is kept, number of secrets, for each: number, when, where from. Times are in milliseconds.
-- Answers 1, or 0 where the piece, or a later one, was added before.

local next_arg = 0
local function word()
  next_arg = next_arg + 1
  return ARGV[next_arg]
end
local function number() return tonumber(word()) end

-- The owner's text of this hour is read and written once, though two things are put into it.
local texts, kept_for = {}, {}
local function get(name)
  texts[name] = texts[name] or redis.call('GET', name) or ''
  return texts[name]
end
local function keep(name, text, kept) texts[name], kept_for[name] = text, kept end

-- What an entry says, or nothing, and what comes before and after it. A pattern would look at every character of the text.
local function entry(text, name)
  local from, to = string.find(text, ';' .. name .. ' ', 1, true)
  if not from then return '', text, '' end
  local over = string.find(text, ';', to, true) or #text + 1
  return string.sub(text, to + 1, over - 1), string.sub(text, 1, from - 1), string.sub(text, over)
end

local function add_counts(text)
  local name = word()
  local said, before, after = entry(text, name)
  local order, counts = {}, {}
  local function add(counter, count)
    if not counts[counter] then order[#order + 1] = counter end
    counts[counter] = (counts[counter] or 0) + count
  end
  for counter, count in string.gmatch(said, '(%d+):(%d+)') do add(counter, tonumber(count)) end
  for _ = 1, number() do add(word(), number()) end
  for i, counter in ipairs(order) do order[i] = counter .. ':' .. string.format('%.0f', counts[counter]) end
  return before .. ';' .. name .. ' ' .. table.concat(order, ' ') .. after
end

local function see(text)
  local name = word()
  local said, before, after = entry(text, name)
  local at, address = word(), word()
  local seen = tonumber(string.match(said, '^(%d+) ') or 0)
  if tonumber(at) < seen then return text end
  return before .. ';' .. name .. ' ' .. at .. ' ' .. address .. after
end

local by, piece = '@' .. word(), word()
local added, before, after = entry(get(KEYS[1]), by)
if (tonumber(added) or 0) >= tonumber(piece) then return 0 end
keep(KEYS[1], before .. ';' .. by .. ' ' .. piece .. after, word())
local counted = number()
for i = 2, #KEYS do
  local text, kept = get(KEYS[i]), word()
  for _ = 1, number() do
    if i - 1 <= counted then text = add_counts(text) else text = see(text) end
  end
  keep(KEYS[i], text, kept)
end
for name, kept in pairs(kept_for) do redis.call('SET', name, texts[name], 'PX', kept) end
return 1
