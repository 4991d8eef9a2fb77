-- Commit each write whose expectation holds. Answers {revision or 0 of each write..., the newest revision of all}.
--
-- KEYS  meta, records, live, ended, beats, floors, journal, history
-- ARGV  the version that this node knows, the epoch and the newest revision that it knows of, the id of this commit,
--       entries the journal keeps, and of each write: uuid, owner, expected fence (empty: no record), revision it is
--       based on (empty: any), new fence, end in seconds since the epoch (empty: not ended), revision of its start
--       (empty: this one), record
--
-- Where the server has less than this node has been told of, or is another than it was, it may have lost something, and
-- nothing is committed before that has been looked at: revisions would come again.
--
-- A record is kept as `revision started owner fence id`, a newline, and the record. A write that is sent again, because
-- its answer was lost, finds its own id and changes nothing.

local meta, records, live, ended = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local beats, floors, journal, history = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local commit, keep = ARGV[4], ARGV[5]
local revisions = {}

-- Its revision and its start, its owner, its fence, and the id of the write that it is of.
local function parsed(value)
  return string.match(value, '^(%d+) (%d+) (%d+) (%l+ %d+) (%S+)\n')
end

local function put(id, uuid, owner, started, fence, ended_at, record)
  local revision = redis.call('HINCRBY', meta, 'revision', 1)
  if started == '' then started = revision end
  local head = revision .. ' ' .. started .. ' ' .. owner .. ' ' .. fence .. ' ' .. id
  local value = head .. '\n' .. record
  redis.call('HSET', records, uuid, value)
  if ended_at == '' then
    redis.call('SADD', live, uuid)
  else
    redis.call('SREM', live, uuid)
    redis.call('HDEL', beats, uuid)
    redis.call('ZADD', ended, ended_at, uuid)
    redis.call('ZADD', history .. owner, revision, uuid)
    redis.call('HSETNX', floors, owner, 0)
    if owner ~= '0' then redis.call('ZADD', history, revision, uuid) end
  end
  local entry = revision .. '-0'
  local told = redis.pcall('XADD', journal, 'MAXLEN', '~', keep, entry, 'record', value)
  if type(told) == 'table' and told.err then
    -- Somebody else has written to it. Readers notice the gap, and look at the records.
    redis.call('DEL', journal)
    redis.call('XADD', journal, entry, 'record', value)
  end
  return revision
end

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local version, epoch, newest, server = unpack(redis.call('HMGET', meta, 'version', 'epoch', 'revision', 'server'))
if version and tonumber(version) > tonumber(ARGV[1]) then
  return redis.error_reply('OUTGROWN this namespace takes a newer release')
end
if epoch ~= ARGV[2] or server ~= run or tonumber(newest) < tonumber(ARGV[3]) then
  return redis.error_reply('FORGOTTEN this server may have lost what was acknowledged')
end

for at = 6, #ARGV, 8 do
  local uuid, owner, expected, based_on = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local current = redis.call('HGET', records, uuid)
  local revision, started, fence, last
  if current then
    local _owner
    revision, started, _owner, fence, last = parsed(current)
  end
  local done, id = 0, commit .. '.' .. at
  if last == id then
    done = tonumber(revision)
  elseif (fence or '') == expected and (based_on == '' or based_on == revision) then
    done = put(id, uuid, owner, started or ARGV[at + 6], ARGV[at + 4], ARGV[at + 5], ARGV[at + 7])
  end
  revisions[#revisions + 1] = done
end

revisions[#revisions + 1] = tonumber(redis.call('HGET', meta, 'revision') or 0)
return revisions
