-- Moves three moments. Answers 1; 0 where the record is absent, ended or expired; or the user whose index has to
-- hold the record for longer first.
-- KEYS: the record, its bucket's due. ARGV: seen with expires and purge, purge as Redis counts, purge, 1 where the index
-- holds it until then.
local v = redis.call('GETRANGE', KEYS[1], 0, 96)
if v == '' then
  return 0
end
local format, head, reserved = string.byte(v, 1, 3)
--@renew
--@held
if held == ARGV[3] then
  redis.call('SETRANGE', KEYS[1], 73, held)
end
redis.call('SETRANGE', KEYS[1], 33, moments)
redis.call('PEXPIREAT', KEYS[1], px)
return 1
