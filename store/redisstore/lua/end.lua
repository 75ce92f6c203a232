-- Ends a record, unless it has ended, and returns it as it stood.
-- KEYS: the record, its bucket's due. ARGV: the end of the record's key, purge, ended at with the lengths of
-- reason and next, these two, 1 to keep the data, when a sweep drops it then, the channel and the news for it.
--@common
local v = redis.call('GET', KEYS[1])
if not v then
  return false
end
if foreign(v) then
  return newer()
end
if ended(v) then
  return v
end
local handle, user = unpack('>I2I4', v, 20)
local metas = byte(v, 2) + handle + user + unpack('>I4', v, 82)
local purge = sub(v, 50, 57)
if later(ARGV[2], purge) then
  purge = ARGV[2]
end
local data, look = '', ms(purge, 1)
if ARGV[5] == '1' then
  data, look = sub(v, metas + 1), ARGV[6]
end
redis.call('SET', KEYS[1], sub(v, 1, 2) .. '\0' .. sub(v, 4, 49) .. purge .. sub(v, 58, 85) .. ARGV[3] ..
  sub(v, 98, metas) .. ARGV[4] .. data, 'PXAT', alive(purge, 1))
redis.call('ZADD', KEYS[2], 'LT', look, ARGV[1])
hold(KEYS[2], later(purge, sub(v, 74, 81)) and purge or sub(v, 74, 81), 1)
redis.call('PUBLISH', ARGV[7], ARGV[8])
return v
