-- Stores the next version. Answers 1; 0 where the record is absent, ended or expired; 2 for another version; or
-- the user whose index has to hold the record for longer first.
-- KEYS: the record, its bucket's due. ARGV: seen with expires and purge, the version before, the new version, deadline
-- and idle, until when index and due have to hold it, 1 where the index does, meta, data.
local v = redis.call('GET', KEYS[1])
if not v then
  return 0
end
if foreign(v) then
  return newer()
end
local moments = moved(v, ARGV[1])
if not moments then
  return 0
end
if sub(v, 26, 33) ~= ARGV[2] then
  return 2
end
local handle, user = unpack('>I2I4', v, 20)
local handles = byte(v, 2) + handle
local held = sub(v, 74, 81)
if later(ARGV[5], held) then
  if user > 0 and ARGV[6] ~= '1' then
    return sub(v, handles + 1, handles + user)
  end
  held = ARGV[5]
  hold(KEYS[2], held, 1)
end
redis.call('SET', KEYS[1], sub(v, 1, 25) .. ARGV[3] .. moments .. ARGV[4] .. held .. struct.pack('>I4', #ARGV[7]) ..
  sub(v, 86, handles + user) .. ARGV[7] .. ARGV[8], 'PXAT', alive(moments, 17))
return 1
