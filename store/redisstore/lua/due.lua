-- What the scripts share that enter records into their bucket's due, or sweep it.

-- sweep looks at no more than limit records of the bucket that are due: it forgets those whose Purge has come, and
-- takes from the others the Data that serves nobody any more. The bucket's records lie in its own slot.
local function sweep(prefix, at, limit)
  local due = prefix .. 'due'
  local looked, blanked, forgotten = 0, 0, 0
  for _, rest in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', at, 'LIMIT', 0, limit)) do
    looked = looked + 1
    local v = redis.call('GET', prefix .. rest)
    if not v then -- the engine was faster
      redis.call('ZREM', due, rest)
      forgotten = forgotten + 1
    elseif foreign(v) then
      redis.call('ZADD', due, at + 3600000, rest)
    else
      local purge, look = ms(v, 50), ms(v, 42)
      if ended(v) then
        look = math.min(look, ms(v, 86) + 10001) -- session.Grace
      end
      local handle, user = unpack('>I2I4', v, 20)
      local reason, successor = unpack('>I2I2', v, 94)
      local data = byte(v, 2) + handle + user + unpack('>I4', v, 82) + reason + successor
      if purge <= at then
        redis.call('DEL', prefix .. rest)
        redis.call('ZREM', due, rest)
        forgotten = forgotten + 1
      else
        if look <= at then
          if #v > data then
            redis.call('SET', prefix .. rest, sub(v, 1, data), 'PXAT', alive(v, 50))
            blanked = blanked + 1
          end
          look = purge
        end
        redis.call('ZADD', due, math.min(look, purge), rest)
      end
    end
  end
  return {looked, blanked, forgotten}
end

-- enrol has the sweep look at a record, and looks at two others that are due, so that a program which never
-- sweeps is bounded by its traffic. Time is what the request says, but no later than the server's, and a minute is
-- left for clocks that differ.
local function enrol(prefix, rest, v, look, at)
  redis.call('ZADD', prefix .. 'due', look, rest)
  hold(prefix .. 'due', v, 74)
  sweep(prefix, math.min(at, now()) - 60000, 2)
end
