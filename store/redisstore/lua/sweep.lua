-- Sweeps a bucket.
-- KEYS: its due. ARGV: the prefix of its keys, now, how many records to look at.
--@common
--@due
return sweep(ARGV[1], tonumber(ARGV[2]), ARGV[3])
