-- What goes on with string.find and its kin where Lua's own matcher may take long: the same, with
-- the search of `pattern`, which can be interrupted. Arguments are of the right kinds: `bounded`
-- leaves others to Lua's own. Run once per interpreter, with the natives as its only argument.

local native = ...

local search, found, start = native.search, native.found, native.start
local refuse, apply = native.refuse, native.apply
local select, type, tonumber = select, type, tonumber
local byte, find, gsub, sub, concat = string.byte, string.find, string.gsub, string.sub, table.concat

local long = {}

function long.find(s, pattern, from, is_plain)
  from = start(s, from)
  local first, last, is_answer = found(s, pattern, from, not not is_plain)
  if not is_answer then
    return search(s, pattern, from, true, true)
  elseif first then
    return first, last
  end
  return nil
end

-- What a match captured: all of it, where the pattern says nothing else.
local function captured(s, first, last, ...)
  if select("#", ...) == 0 then
    return sub(s, first, last)
  end
  return ...
end

local function captured_if(s, first, ...)
  if not first then
    return nil
  end
  return captured(s, first, ...)
end

function long.match(s, pattern, from)
  return captured_if(s, search(s, pattern, start(s, from), true, true))
end

function long.gmatch(s, pattern)
  local from = 1
  local function settle(first, last, ...)
    if not first then
      return
    end
    from = last < first and first + 1 or last + 1
    return captured(s, first, last, ...)
  end
  return function()
    if from <= #s + 1 then
      return settle(search(s, pattern, from, false, true))
    end
  end
end

long.gfind = long.gmatch

-- A capture that the pattern does not end is wrong where it is asked for.
local function finished(capture)
  if capture == false then
    refuse("unfinished capture")
  end
  return capture
end

-- A replacement with captures in the places of %0 to %9.
local function filled_in(replacement, s, first, last, ...)
  local captures, len = { ... }, select("#", ...)
  return (gsub(replacement, "%%(.?)", function(key)
    if key == "" then
      return "\0"
    elseif not find(key, "%d") then
      return key
    end
    local index = tonumber(key)
    if index == 0 or index == 1 and len == 0 then
      return sub(s, first, last)
    elseif index > len then
      refuse("invalid capture index")
    end
    return finished(captures[index])
  end))
end

local function value_of(replacement, kind, s, first, last, ...)
  local value
  if kind == "string" then
    return filled_in(replacement, s, first, last, ...)
  elseif kind == "table" then
    value = replacement[finished((captured(s, first, last, ...)))]
  else
    -- From C, as by Lua's own: what it raises names no line of this.
    value = apply(replacement, captured(s, first, last, ...))
  end
  if not value then
    return sub(s, first, last)
  end
  if type(value) ~= "string" and type(value) ~= "number" then
    refuse("invalid replacement value (a " .. type(value) .. ")")
  end
  return value
end

function long.gsub(s, pattern, replacement, count_max)
  local kind = type(replacement)
  if kind == "number" then
    replacement, kind = replacement .. "", "string"
  end
  count_max = tonumber(count_max) or #s + 1
  local is_anchored = byte(pattern) == 94
  local pieces, len, count, kept, from = {}, 0, 0, 1, 1
  local function replace(first, last, ...)
    if not first then
      return false
    end
    count = count + 1
    pieces[len + 1] = sub(s, kept, first - 1)
    pieces[len + 2] = value_of(replacement, kind, s, first, last, ...)
    len = len + 2
    kept = last + 1
    from = last < first and first + 1 or last + 1
    return not is_anchored
  end
  while count + 1 <= count_max and from <= #s + 1 do
    if not replace(search(s, pattern, from, true, kind == "function")) then
      break
    end
  end
  pieces[len + 1] = sub(s, kept)
  return concat(pieces), count
end

return long
