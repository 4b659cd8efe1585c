-- The world that scripts see. Run once per interpreter, with the natives as its only argument.
--
-- A table that scripts must not change is `sealed`: an empty table that finds its contents through
-- a metatable and refuses assignments. What looks into tables without asking their metatables
-- (next, pairs, rawget ...) is replaced by what sees the contents.

local native = ...

local type, error, select, tostring = type, error, select, tostring
local raw_next, raw_getmetatable, raw_setmetatable = next, getmetatable, setmetatable
local raw_pcall, raw_xpcall = pcall, xpcall
local raw_resume = coroutine.resume
local concat = table.concat
local check, is_stopped, plain = native.check, native.is_stopped, native.plain

local READONLY = "Attempt to modify a readonly table"

-- Sealed tables and their contents; and what getmetatable answers for them.
local contents_of = native.sealed.contents_of
local metatable_of = native.sealed.metatable_of

local function refuse()
  error(READONLY, 2)
end

local function seal(contents, metatable)
  local sealed = {}
  contents_of[sealed] = contents
  metatable_of[sealed] = metatable
  return raw_setmetatable(sealed, { __index = contents, __newindex = refuse })
end

local globals = {}

for _, name in raw_next, {
  "assert", "collectgarbage", "error", "gcinfo", "ipairs", "rawequal", "select", "tonumber",
  "tostring", "type", "_VERSION",
} do
  globals[name] = _G[name]
end
globals.unpack = native.bounded.unpack
for _, name in raw_next, { "next", "pairs", "rawget", "rawset", "getmetatable", "setmetatable" } do
  globals[name] = native.sealed[name]
end
globals.loadstring = native.bounded.loadstring

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

function globals.pcall(f, ...)
  return settle_pcall(raw_pcall(f, ...))
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
function globals.xpcall(...)
  if select("#", ...) < 2 then
    error("bad argument #2 to 'xpcall' (value expected)", 2)
  end
  local f, handler = ...
  return settle(raw_xpcall(f, function(raised)
    if is_stopped() then
      return raised
    end
    return handler(plain(raised))
  end))
end

-- The pieces are put together first, so nothing of a script runs while Lua parses: a collection then
-- would free the name of the chunk.
function globals.load(...)
  local reader, name = ...
  if type(reader) ~= "function" then
    error("bad argument #1 to 'load' (function expected, got "
      .. (select("#", ...) == 0 and "no value" or type(reader)) .. ")", 2)
  end
  local pieces = {}
  while true do
    local ok, piece = settle(raw_pcall(reader))
    if not ok then
      return nil, piece
    end
    if piece == nil or piece == "" then
      break
    end
    if type(piece) ~= "string" and type(piece) ~= "number" then
      return nil, select(2, raw_pcall(error, "reader function must return a string", 3))
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
function coroutine_contents.resume(co, ...)
  if type(co) ~= "thread" then
    error("bad argument #1 to 'resume' (coroutine expected)", 2)
  end
  return settle(raw_resume(co, ...))
end
globals.coroutine = seal(coroutine_contents)

local table_contents = copy(table)
table_contents.insert = native.bounded.insert
table_contents.sort = native.sort
table_contents.foreach = native.sealed.foreach
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
