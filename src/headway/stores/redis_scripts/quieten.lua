-- Forget signs of life that were given long ago: nodes and workers come and go.
--
-- KEYS  beats
-- ARGV  seconds

local oldest = (tonumber(redis.call('TIME')[1]) - tonumber(ARGV[1])) * 1000
local told = redis.call('HGETALL', KEYS[1])
for at = 1, #told, 2 do
  if (tonumber(told[at + 1]) or 0) < oldest then redis.call('HDEL', KEYS[1], told[at]) end
end
return 1
