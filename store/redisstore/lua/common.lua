-- What all scripts share. Positions count from 1; record.go describes what lies there.

local sub, byte = string.sub, string.byte

-- later says whether moment a is after moment b. Their bytes are numbers with the greatest digit first; Lua's
-- own < would ask the server's locale, and its numbers keep no nanoseconds of this century.
local function later(a, b)
  local high, low = struct.unpack('>I4I4', a)
  local high2, low2 = struct.unpack('>I4I4', b)
  return high > high2 or high == high2 and low > low2
end

local function latest(a, b)
  if later(a, b) then
    return a
  end
  return b
end

-- ms returns the moment at position i as milliseconds since 1970, rounded up.
local function ms(v, i)
  local high, low = struct.unpack('>I4I4', v, i)
  return math.ceil(((high - 2147483648) * 4294967296 + low) / 1000000)
end

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- A time to live of the past is written as the first millisecond, because Redis takes none that is not positive.
local function alive(at)
  return string.format('%.0f', math.max(at, 1))
end

local function foreign(v)
  return byte(v, 1) ~= 1
end

local function newer()
  return redis.error_reply('HARDYFORMAT the record was written by a newer Hardy')
end

local function ended(v)
  return struct.unpack('>I2', v, 94) > 0
end

-- writable says whether rules 3 and 4 let a request of that moment write, whatever the version.
local function writable(v, seen)
  return byte(v, 3) == 0 and not ended(v) and later(sub(v, 42, 49), seen)
end
