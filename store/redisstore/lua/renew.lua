-- What the scripts share that renew a record v, whose first three bytes are format, head and reserved. ARGV[1] is Seen
-- with Expires and Purge, ARGV[2] that Purge as Redis counts. It answers 0 where rules 3 and 4 let the request not
-- write. Else moments and px are what the record gets: none moves back.
--
-- What nearly all requests pass makes no function and no text of a number, which takes as long as the rest of it.
if format ~= 1 then
  return redis.error_reply('HARDYFORMAT the record was written by a newer Hardy')
end
local sub, unpack = string.sub, struct.unpack
local handle, user = unpack('>I2I4', v, 20)
local seen, seen2, expires, expires2, purge, purge2 = unpack('>I4I4I4I4I4I4', v, 34)
local s, s2, e, e2, p, p2 = unpack('>I4I4I4I4I4I4', ARGV[1])
if reserved ~= 0 or sub(v, 94, 95) ~= '\0\0' or expires < s or expires == s and expires2 <= s2 then
  return 0
end
local moments, px = ARGV[1], ARGV[2]
local back = seen > s or seen == s and seen2 > s2
local back2 = expires > e or expires == e and expires2 > e2
local back3 = purge > p or purge == p and purge2 > p2
if back or back2 or back3 then
  moments = sub(back and v or moments, back and 34 or 1, back and 41 or 8) ..
    sub(back2 and v or moments, back2 and 42 or 9, back2 and 49 or 16) ..
    sub(back3 and v or moments, back3 and 50 or 17, back3 and 57 or 24)
  if back3 then
    px = math.max(math.ceil(((purge - 2147483648) * 4294967296 + purge2) / 1000000), 1)
  end
end
