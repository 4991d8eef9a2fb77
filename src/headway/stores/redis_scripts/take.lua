-- Begin, or go on: what names this history, its newest revision, and its term.
--
-- Another server than before (one that was started again, or a replica that took over) may have less than nodes have been
-- told of, and the first to come back need not be one that knows. So whoever finds one begins a term: its revisions go on
-- beyond all that the server before can have given out (a million, and not below the time in milliseconds, for what has been
-- set back to long ago is behind by any number), and the last one that this server has is the boundary. A node that knows
-- another term than the one before, or was told of more, puts back what is missing. So it is where a server has less than
-- the caller was told of, or nothing at all.
-- Answers epoch, secret, version, revision, term, the term before, boundary.
--
-- KEYS  meta
-- ARGV  epoch and secret of this history or of a new one, version of what is kept, the newest revision that is known (-1
--       of a new one)

local meta, known = KEYS[1], tonumber(ARGV[4])
local empty = redis.call('HEXISTS', meta, 'epoch') == 0
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
redis.call('HSETNX', meta, 'epoch', ARGV[1])
redis.call('HSETNX', meta, 'secret', ARGV[2])
redis.call('HSETNX', meta, 'version', ARGV[3])
redis.call('HSETNX', meta, 'revision', 0)
local epoch, revision, server, term = unpack(redis.call('HMGET', meta, 'epoch', 'revision', 'server', 'term'))
local forgotten = epoch == ARGV[1] and known >= 0 and (empty or tonumber(revision) < known)
if forgotten or (server and server ~= run) then
  local seconds, micros = unpack(redis.call('TIME'))
  local now = seconds * 1000 + math.floor(micros / 1000)
  local first = string.format('%.0f', math.max(now, revision + 1000000, known + 1000000))
  redis.call('HSET', meta, 'boundary', revision, 'before', term or 0, 'term', first, 'revision', first)
end
redis.call('HSET', meta, 'server', run)
return redis.call('HMGET', meta, 'epoch', 'secret', 'version', 'revision', 'term', 'before', 'boundary')
