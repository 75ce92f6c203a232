-- What the scripts share that renew a record: held is until when index and due hold it. ARGV[3] is until when they
-- have to. Where that is later, the user's index goes first: unless ARGV[4] says that this is done, the script answers
-- with the user.
local held = sub(v, 74, 81)
if held ~= ARGV[3] then
  local h, h2 = unpack('>I4I4', held)
  local u, u2 = unpack('>I4I4', ARGV[3])
  if u > h or u == h and u2 > h2 then
    if user > 0 and ARGV[4] ~= '1' then
      return redis.call('GETRANGE', KEYS[1], head + handle, head + handle + user - 1)
    end
    held = ARGV[3]
--@common
    hold(KEYS[2], held, 1)
  end
end
