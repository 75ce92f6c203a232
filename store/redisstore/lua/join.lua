-- Enters a record into its user's index, or moves its entry's own end. With a check, only where the index holds
-- nothing but what was seen: else it answers with all that it holds. Entries go when their own time has passed.
-- KEYS: the index. ARGV: the id, its entry's end, 1 for a check, what was seen.
--@common
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. now())
if ARGV[3] == '1' then
  local seen = {[ARGV[1]] = true}
  for i = 4, #ARGV do
    seen[ARGV[i]] = true
  end
  local all = redis.call('ZRANGE', KEYS[1], 0, -1)
  for _, id in ipairs(all) do
    if not seen[id] then
      return all
    end
  end
end
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], last[2])
return 1
