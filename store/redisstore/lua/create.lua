-- Inserts a record under an id that is not there.
-- KEYS: the record, its bucket's due. ARGV: the end of the record's key, the record, when to look at it, now.
if not redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PXAT', alive(ARGV[2], 50)) then
  return 0
end
enrol(KEYS[1], ARGV[1], ARGV[3], tonumber(ARGV[4]))
return 1
