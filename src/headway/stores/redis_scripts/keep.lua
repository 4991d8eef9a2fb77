-- Keep what activities have printed last, and no more of all together than there is room for: the oldest of what has
-- ended goes first.
--
-- KEYS  meta, records, ended, outputs
-- ARGV  bytes that may be kept, and of each activity: uuid, text

local meta, records, ended, outputs = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local bytes = tonumber(redis.call('HGET', meta, 'output') or 0)

for at = 2, #ARGV, 2 do
  local uuid, text = ARGV[at], ARGV[at + 1]
  if redis.call('HEXISTS', records, uuid) == 1 then
    bytes = bytes + #text - redis.call('HSTRLEN', outputs, uuid)
    redis.call('HSET', outputs, uuid, text)
  end
end

local first, some = 0, 100
while bytes > tonumber(ARGV[1]) do
  local oldest = redis.call('ZRANGE', ended, first, first + some - 1)
  for _, uuid in ipairs(oldest) do
    if bytes > tonumber(ARGV[1]) then
      bytes = bytes - redis.call('HSTRLEN', outputs, uuid)
      redis.call('HDEL', outputs, uuid)
    end
  end
  if #oldest < some then break end
  first = first + some
end

redis.call('HSET', meta, 'output', bytes)
return bytes
