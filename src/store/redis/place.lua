#!lua flags=allow-oom
-- Where a place stands in this log. Scripts that ask it begin with this text; they write little, and do so where memory is full too: leases
-- are not to end because of it.
--
-- A place is `position/mark`, the mark in 16 hexadecimal digits; the log is a stream whose ids are `position-0`. Answers 'here'; 'gone' where it
-- was trimmed away, so that nobody can tell; or 'elsewhere': it is a place of another log.

local NOWHERE = '0/0000000000000000'

local function position_of(place)
  return tonumber(string.match(place, '^%d+'))
end

local function stands(log, head, place)
  if place == head then return 'here' end
  local position = position_of(place)
  if position >= position_of(head) then return 'elsewhere' end
  if place == NOWHERE then
    local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    return first and first[1] == '1-0' and 'here' or 'gone'
  end
  local id = string.format('%.0f-0', position)
  local entry = redis.call('XRANGE', log, id, id)[1]
  if not entry then return 'gone' end
  return entry[2][2] == string.match(place, '/(.*)$') and 'here' or 'elsewhere'
end

