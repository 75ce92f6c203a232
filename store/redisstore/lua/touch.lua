-- Moves three moments. Answers 1; 0 where the record is absent, ended or expired; or the user whose index has to
-- hold the record for longer first.
-- KEYS: the record, its bucket's due. ARGV: seen with expires and purge, purge, 1 where the index holds it until then.
local v = redis.call('GETRANGE', KEYS[1], 0, 96)
if v == '' then
  return 0
end
if foreign(v) then
  return newer()
end
local moments = moved(v, ARGV[1])
if not moments then
  return 0
end
if later(ARGV[2], sub(v, 74, 81)) then
  local handle, user = unpack('>I2I4', v, 20)
  if user > 0 and ARGV[3] ~= '1' then
    local handles = byte(v, 2) + handle
    return redis.call('GETRANGE', KEYS[1], handles, handles + user - 1)
  end
  redis.call('SETRANGE', KEYS[1], 73, ARGV[2])
  hold(KEYS[2], ARGV[2], 1)
end
redis.call('SETRANGE', KEYS[1], 33, moments)
redis.call('PEXPIREAT', KEYS[1], alive(moments, 17))
return 1
