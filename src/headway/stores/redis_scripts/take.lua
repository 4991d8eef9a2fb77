-- Begin, or go on: what names this history, its newest revision, and how often the server was found to have lost some of
-- it. Where it has less than the caller has been told of, the revisions go on far beyond all that any node can have been
-- told of: none may come again. A server that has lost all has lost how often, too: so the caller says what it knows.
-- Answers epoch, secret, version, revision, losses.
--
-- KEYS  meta
-- ARGV  epoch and secret of a new history, version of what is kept, the newest revision and the losses that are known

local meta = KEYS[1]
redis.call('HSETNX', meta, 'epoch', ARGV[1])
redis.call('HSETNX', meta, 'secret', ARGV[2])
redis.call('HSETNX', meta, 'version', ARGV[3])
redis.call('HSETNX', meta, 'revision', 0)
local epoch, revision = unpack(redis.call('HMGET', meta, 'epoch', 'revision'))
if epoch == ARGV[1] and tonumber(revision) < tonumber(ARGV[4]) then
  redis.call('HSET', meta, 'revision', ARGV[4] + 1000000)
  local losses = tonumber(redis.call('HGET', meta, 'losses') or 0)
  redis.call('HSET', meta, 'losses', math.max(losses, tonumber(ARGV[5])) + 1)
end
return redis.call('HMGET', meta, 'epoch', 'secret', 'version', 'revision', 'losses')
