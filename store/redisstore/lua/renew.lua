-- What the scripts share that renew a record.

-- moved returns Seen, Expires and Purge as they stand after a request with these moments: none moves back. It returns
-- nothing where rules 3 and 4 let the request not write.
local function moved(v, given)
  local seen, seen2, expires, expires2, purge, purge2 = unpack('>I4I4I4I4I4I4', v, 34)
  local s, s2, e, e2, p, p2 = unpack('>I4I4I4I4I4I4', given)
  if byte(v, 3) ~= 0 or ended(v) or expires < s or expires == s and expires2 <= s2 then
    return nil
  end
  local back = seen > s or seen == s and seen2 > s2
  local back2 = expires > e or expires == e and expires2 > e2
  local back3 = purge > p or purge == p and purge2 > p2
  if not (back or back2 or back3) then
    return given
  end
  return sub(back and v or given, back and 34 or 1, back and 41 or 8) ..
    sub(back2 and v or given, back2 and 42 or 9, back2 and 49 or 16) ..
    sub(back3 and v or given, back3 and 50 or 17, back3 and 57 or 24)
end
