-- Give back a right that has not lapsed and gone to somebody else.
--
-- KEYS  lock
-- ARGV  who holds it

if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
