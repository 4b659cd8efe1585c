-- The world that scripts see. Run once per interpreter, with the natives as its only argument.
--
-- A table that scripts must not change is `sealed`: an empty table that finds its contents through
-- a metatable and refuses assignments. What looks into tables without asking their metatables
-- (next, pairs, rawget ...) is wrapped so that it sees the contents.

local native = ...

local type, error, select, tostring = type, error, select, tostring
local raw_next, raw_get, raw_set = next, rawget, rawset
local raw_getmetatable, raw_setmetatable = getmetatable, setmetatable
local raw_pcall, raw_xpcall, raw_loadstring = pcall, xpcall, loadstring
local raw_resume = coroutine.resume
local byte, concat = string.byte, table.concat
local check, is_stopped, plain = native.check, native.is_stopped, native.plain

local READONLY = "Attempt to modify a readonly table"

-- Sealed tables and their contents; and what getmetatable answers for them.
local contents_of = {}
local metatable_of = {}

local function refuse()
  error(READONLY, 2)
end

local function seal(contents, metatable)
  local sealed = {}
  contents_of[sealed] = contents
  metatable_of[sealed] = metatable
  return raw_setmetatable(sealed, { __index = contents, __newindex = refuse })
end

local function wrong_table(index, name, value, level)
  local kind = value == nil and "nil" or type(value)
  error("bad argument #" .. index .. " to '" .. name .. "' (table expected, got " .. kind .. ")",
    level + 1)
end

local globals = {}

for _, name in raw_next, {
  "assert", "collectgarbage", "error", "gcinfo", "ipairs", "rawequal", "select", "tonumber",
  "tostring", "type", "_VERSION",
} do
  globals[name] = _G[name]
end
globals.unpack = native.bounded.unpack

function globals.next(...)
  local t, key = ...
  if type(t) ~= "table" then
    error("bad argument #1 to 'next' (table expected, got "
      .. (select("#", ...) == 0 and "no value" or type(t)) .. ")", 2)
  end
  return raw_next(contents_of[t] or t, key)
end

function globals.pairs(...)
  local t = ...
  if type(t) ~= "table" then
    error("bad argument #1 to 'pairs' (table expected, got "
      .. (select("#", ...) == 0 and "no value" or type(t)) .. ")", 2)
  end
  if contents_of[t] then
    return globals.next, t, nil
  end
  return raw_next, t, nil
end

function globals.rawget(t, key)
  if type(t) ~= "table" then
    wrong_table(1, "rawget", t, 2)
  end
  return raw_get(contents_of[t] or t, key)
end

function globals.rawset(t, key, value)
  if type(t) ~= "table" then
    wrong_table(1, "rawset", t, 2)
  end
  if contents_of[t] then
    error(READONLY, 0)
  end
  return raw_set(t, key, value)
end

function globals.getmetatable(value)
  if contents_of[value] then
    return metatable_of[value]
  end
  return raw_getmetatable(value)
end

function globals.setmetatable(t, metatable)
  if type(t) ~= "table" then
    wrong_table(1, "setmetatable", t, 2)
  end
  if metatable ~= nil and type(metatable) ~= "table" then
    error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
  end
  if contents_of[t] then
    error(READONLY, 0)
  end
  local present = raw_getmetatable(t)
  if type(present) == "table" and raw_get(present, "__metatable") ~= nil then
    error("cannot change a protected metatable", 2)
  end
  return raw_setmetatable(t, metatable)
end

-- Failures of natives become what scripts expect; a script that must end does not get away.
local function settle_pcall(ok, ...)
  if ok then
    return true, ...
  end
  check()
  local raised = plain((...))
  if type(raised) == "table" then
    local text = raised.err
    if type(text) == "string" or type(text) == "number" then
      raised = text
    end
  end
  return false, raised
end

function globals.pcall(...)
  return settle_pcall(raw_pcall(...))
end

local function settle(ok, ...)
  if ok then
    return true, ...
  end
  check()
  return false, plain((...))
end

-- Lua runs a handler where the error was raised, before anything is undone: for a script that must
-- end that is the hook, inside which no hook would end it.
function globals.xpcall(f, handler)
  return settle(raw_xpcall(f, function(raised)
    if is_stopped() then
      return raised
    end
    return handler(plain(raised))
  end))
end

-- Only source is loaded: Lua does not check compiled code.
function globals.loadstring(source, name)
  if type(source) == "string" and byte(source, 1) == 27 then
    return raw_loadstring(" " .. source, name or source)
  end
  return raw_loadstring(source, name)
end

function globals.load(reader, name)
  local pieces = {}
  while true do
    local piece = reader()
    if piece == nil or piece == "" then
      break
    end
    if type(piece) ~= "string" then
      return nil, "reader function must return a string"
    end
    pieces[#pieces + 1] = piece
  end
  return globals.loadstring(concat(pieces), name or "=(load)")
end

local function copy(library)
  local contents = {}
  for name, value in raw_next, library do
    contents[name] = value
  end
  return contents
end

local math_contents = copy(math)
math_contents.random = native.random
math_contents.randomseed = native.randomseed
globals.math = seal(math_contents)

local string_contents = copy(string)
for _, name in raw_next, { "find", "match", "gmatch", "gfind", "gsub", "rep" } do
  string_contents[name] = native.bounded[name]
end
globals.string = seal(string_contents)
local string_metatable = raw_getmetatable("")
string_metatable.__index = string_contents
string_metatable.__metatable = seal({ __index = globals.string })

local coroutine_contents = copy(coroutine)
function coroutine_contents.resume(...)
  return settle(raw_resume(...))
end
globals.coroutine = seal(coroutine_contents)

local table_contents = copy(table)
table_contents.insert = native.bounded.insert
globals.table = seal(table_contents)
globals.os = seal({ clock = os.clock })
globals.redis = seal(native.redis)
globals.cjson = seal(native.cjson)
globals.cmsgpack = seal(native.cmsgpack)
globals.struct = seal(native.struct)
globals.bit = seal(native.bit)

function globals.__redis__err__handler(raised)
  if type(raised) ~= "table" then
    raised = { err = "ERR " .. tostring(raised) }
  end
  return raised
end

local function nonexistent(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

raw_setmetatable(globals, { __index = nonexistent })
globals._G = seal(globals, seal({ __index = nonexistent }))

-- What plain scripts ask of their globals most often lies open: they cannot change it.
local open = raw_setmetatable({ redis = native.redis }, raw_getmetatable(globals._G))

return globals._G, globals, open
