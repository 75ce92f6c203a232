-- Stores the next version. Answers 1; 0 where the record is absent, ended or expired; 2 for another version; or
-- the user whose index has to hold the record for longer first.
-- KEYS: the record. ARGV: seen, expires, purge, the version before, the new version, deadline and idle, until when
-- the index has to hold it, 1 where it does, meta, data.
local v = redis.call('GET', KEYS[1])
if not v then
  return 0
end
if foreign(v) then
  return newer()
end
if not writable(v, ARGV[1]) then
  return 0
end
if sub(v, 26, 33) ~= ARGV[4] then
  return 2
end
local handle, user = struct.unpack('>I2I4', v, 20)
local handles = byte(v, 2) + handle
local listed = sub(v, 74, 81)
if user > 0 and later(ARGV[7], listed) then
  if ARGV[8] ~= '1' then
    return sub(v, handles + 1, handles + user)
  end
  listed = ARGV[7]
end
local purge = latest(sub(v, 50, 57), ARGV[3])
redis.call('SET', KEYS[1], table.concat({
  sub(v, 1, 25), ARGV[5], latest(sub(v, 34, 41), ARGV[1]), latest(sub(v, 42, 49), ARGV[2]), purge, ARGV[6], listed,
  struct.pack('>I4', #ARGV[9]), sub(v, 86, handles + user), ARGV[9], ARGV[10],
}), 'PXAT', alive(ms(purge, 1)))
return 1
