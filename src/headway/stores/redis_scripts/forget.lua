-- Delete ended records, and remember per owner the newest revision that is gone. Answers how many were there.
--
-- KEYS  meta, records, ended, floors, outputs, history
-- ARGV  uuids

local meta, records, ended, floors, outputs, history = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local count = 0

for _, uuid in ipairs(ARGV) do
  local value = redis.call('HGET', records, uuid)
  if value and redis.call('ZSCORE', ended, uuid) then
    local revision, owner = string.match(value, '^(%d+) %d+ (%d+) ')
    if tonumber(revision) > tonumber(redis.call('HGET', floors, owner) or 0) then
      redis.call('HSET', floors, owner, revision)
    end
    redis.call('HDEL', records, uuid)
    redis.call('HINCRBY', meta, 'output', 0 - redis.call('HSTRLEN', outputs, uuid))
    redis.call('HDEL', outputs, uuid)
    redis.call('ZREM', history, uuid)
    redis.call('ZREM', history .. owner, uuid)
    count = count + 1
  end
  redis.call('ZREM', ended, uuid)
end

return count
