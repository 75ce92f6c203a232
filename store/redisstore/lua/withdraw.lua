-- Takes a reservation back.
-- KEYS: the record.
if redis.call('GETRANGE', KEYS[1], 2, 2) == '\1' then
  redis.call('DEL', KEYS[1])
end
return 1
