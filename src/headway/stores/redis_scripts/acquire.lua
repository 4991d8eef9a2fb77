-- Take a right that nobody holds, for some time. Answers whether it was free.
--
-- KEYS  lock
-- ARGV  who takes it, milliseconds until it lapses

return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
