-- Begin: what names this history, and its newest revision, which is raised to what the caller has seen of it: a server
-- that has lost its latest changes must not give their revisions to others. Answers epoch, secret, version, revision.
--
-- KEYS  meta
-- ARGV  epoch and secret of a new history, version of what is kept, the newest revision that is known

local meta = KEYS[1]
redis.call('HSETNX', meta, 'epoch', ARGV[1])
redis.call('HSETNX', meta, 'secret', ARGV[2])
redis.call('HSETNX', meta, 'version', ARGV[3])
redis.call('HSETNX', meta, 'revision', 0)
local told = redis.call('HMGET', meta, 'epoch', 'secret', 'version', 'revision')
if told[1] == ARGV[1] and tonumber(told[4]) < tonumber(ARGV[4]) then
  redis.call('HSET', meta, 'revision', ARGV[4])
end
return told
