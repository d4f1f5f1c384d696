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

local function get(name) return redis.call('GET', name) or '' end

-- What an entry says, or nothing, and the text with another one in its place. No name has a character that patterns know.
local function entry(text, name)
  local from, to, said = string.find(text, ';' .. name .. ' ([^;]*)')
  return said or '', function(instead)
    local written = ';' .. name .. ' ' .. instead
    if not from then return text .. written end
    return string.sub(text, 1, from - 1) .. written .. string.sub(text, to + 1)
  end
end

local function add_counts(text)
  local said, put = entry(text, word())
  local order, counts = {}, {}
  local function add(counter, count)
    if not counts[counter] then order[#order + 1] = counter end
    counts[counter] = (counts[counter] or 0) + count
  end
  for counter, count in string.gmatch(said, '(%d+):(%d+)') do add(counter, tonumber(count)) end
  for _ = 1, number() do add(word(), number()) end
  for i, counter in ipairs(order) do order[i] = counter .. ':' .. string.format('%.0f', counts[counter]) end
  return put(table.concat(order, ' '))
end

local function see(text)
  local said, put = entry(text, word())
  local at, address = word(), word()
  local seen = tonumber(string.match(said, '^(%d+) ') or 0)
  if tonumber(at) < seen then return text end
  return put(at .. ' ' .. address)
end

local added, put = entry(get(KEYS[1]), '@' .. word())
local piece = word()
if (tonumber(added) or 0) >= tonumber(piece) then return 0 end
redis.call('SET', KEYS[1], put(piece), 'PX', number())
local counted = number()
for i = 2, #KEYS do
  local text, kept = get(KEYS[i]), number()
  for _ = 1, number() do
    if i - 1 <= counted then text = add_counts(text) else text = see(text) end
  end
  redis.call('SET', KEYS[i], text, 'PX', kept)
end
return 1
