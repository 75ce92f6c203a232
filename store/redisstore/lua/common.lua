-- What all scripts share. Positions count from 1; record.go describes what lies there.
local sub, byte, unpack = string.sub, string.byte, struct.unpack

-- later says whether moment a is after moment b. Their bytes are numbers with the greatest digit first; Lua's
-- own < would ask the server's locale, and its numbers keep no nanoseconds of this century.
local function later(a, b)
  if a == b then
    return false
  end
  local high, low = unpack('>I4I4', a)
  local high2, low2 = unpack('>I4I4', b)
  return high > high2 or high == high2 and low > low2
end

-- ms returns the moment at position i as milliseconds since 1970, rounded up.
local function ms(v, i)
  local high, low = unpack('>I4I4', v, i)
  return math.ceil(((high - 2147483648) * 4294967296 + low) / 1000000)
end

-- Redis takes no time to live that is not positive: one of the past is its first millisecond.
local function alive(v, i)
  return math.max(ms(v, i), 1)
end

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function foreign(v)
  return byte(v, 1) ~= 1
end

local function newer()
  return redis.error_reply('HARDYFORMAT the record was written by a newer Hardy')
end

local function ended(v)
  return unpack('>I2', v, 94) > 0
end

-- hold has a bucket's due live until the moment at position i of v: as long as the records that it is for. An hour
-- more spares most calls their write.
local function hold(due, v, i)
  local at = math.ceil(ms(v, i) / 3600000) * 3600000
  local left = redis.call('PTTL', due)
  if left == -1 or left >= 0 and now() + left < at then
    redis.call('PEXPIREAT', due, math.max(at, 1))
  end
end
