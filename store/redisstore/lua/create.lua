-- Inserts a record under an id that is not there.
-- KEYS: the record, its bucket's due. ARGV: the bucket's prefix, the end of the record's key, the record, when to look
-- at it, now.
--@common
--@due
if not redis.call('SET', KEYS[1], ARGV[3], 'NX', 'PXAT', alive(ARGV[3], 50)) then
  return 0
end
enrol(ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]))
return 1
