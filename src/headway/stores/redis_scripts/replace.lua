-- Replace a document whose version is known. Answers the new version; 0 where another one stands there.
--
-- KEYS  document
-- ARGV  version, new document

local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if version ~= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', version + 1, 'document', ARGV[2])
return version + 1
