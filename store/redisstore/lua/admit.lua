-- Makes a reserved record one that is there. Where another login has evicted it already, it stays ended.
-- KEYS: the record, its bucket's due. ARGV: the bucket's prefix, the end of the record's key, when to look at it, now.
--@common
--@due
local v = redis.call('GETRANGE', KEYS[1], 0, 96)
if v == '' then
  return 0
end
if byte(v, 3) == 1 then
  redis.call('SETRANGE', KEYS[1], 2, '\0')
  redis.call('PEXPIREAT', KEYS[1], alive(v, 50))
  enrol(ARGV[1], ARGV[2], v, ARGV[3], tonumber(ARGV[4]))
end
return 1
