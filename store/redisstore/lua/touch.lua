-- Moves three moments. Answers 1; 0 where the record is absent, ended or expired; or the user whose index has to
-- hold the record for longer first.
-- KEYS: the record. ARGV: seen, expires, purge, 1 where the index holds it until purge.
local v = redis.call('GETRANGE', KEYS[1], 0, 96)
if v == '' then
  return 0
end
if foreign(v) then
  return newer()
end
if not writable(v, ARGV[1]) then
  return 0
end
local purge = latest(sub(v, 50, 57), ARGV[3])
local handle, user = struct.unpack('>I2I4', v, 20)
if user > 0 and later(purge, sub(v, 74, 81)) then
  if ARGV[4] ~= '1' then
    local handles = byte(v, 2) + handle
    return redis.call('GETRANGE', KEYS[1], handles, handles + user - 1)
  end
  redis.call('SETRANGE', KEYS[1], 73, purge)
end
redis.call('SETRANGE', KEYS[1], 33, latest(sub(v, 34, 41), ARGV[1]) .. latest(sub(v, 42, 49), ARGV[2]) .. purge)
redis.call('PEXPIREAT', KEYS[1], alive(ms(purge, 1)))
return 1
