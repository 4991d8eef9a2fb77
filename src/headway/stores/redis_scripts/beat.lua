-- Note when names have given a sign of life, by this server's clock, in milliseconds.
--
-- KEYS  beats
-- ARGV  names

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
for _, name in ipairs(ARGV) do redis.call('HSET', KEYS[1], name, now) end
return now
