-- Stores the next version. Answers 1; 0 where the record is absent, ended or expired; 2 for another version; or
-- the user whose index has to hold the record for longer first.
-- KEYS: the record, its bucket's due. ARGV: seen with expires and purge, purge as Redis counts, until when index and due
-- have to hold it, 1 where the index does, the version before, the new version, deadline and idle, the length of meta,
-- meta with data.
local v = redis.call('GET', KEYS[1])
if not v then
  return 0
end
local format, head, reserved = string.byte(v, 1, 3)
--@renew
if sub(v, 26, 33) ~= ARGV[5] then
  return 2
end
--@held
redis.call('SET', KEYS[1], sub(v, 1, 25) .. ARGV[6] .. moments .. ARGV[7] .. held .. ARGV[8] ..
  sub(v, 86, head + handle + user) .. ARGV[9], 'PXAT', px)
return 1
