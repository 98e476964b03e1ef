-- The one write of a worker: fields, log entries and a change of state together, or nothing. Atomic.
-- Repeating a write whose reply was lost changes nothing, since it names the seq it follows.
-- KEYS: task, log, state:running, state:<to> (or state:running), finished
-- ARGV: id, fence, seq before, now, live channel, to (or ''), log age in ms, most entries in the log,
--       number of entries, entries…, field, value, …
-- Returns {seq after, 1 when a cancel was requested}; {-1} for a stale fence; {-2, seq} for another seq.
local head = redis.call('HMGET', KEYS[1], 'fence', 'seq', 'cancelAt', 'state')
if not head[1] or head[1] ~= ARGV[2] then return {-1} end
local seq, before, count = tonumber(head[2]), tonumber(ARGV[3]), tonumber(ARGV[9])
local cancel = (head[3] and head[3] ~= '') and 1 or 0
if count > 0 and seq == before + count then return {seq, cancel} end
if seq ~= before then return {-2, seq} end
if head[4] ~= 'running' then return {-1} end

for i = 1, count do
  redis.call('XADD', KEYS[2], (seq + i) .. '-0', 'e', ARGV[9 + i])
end
if count > 0 and before + count > tonumber(ARGV[8]) then redis.call('XTRIM', KEYS[2], 'MAXLEN', '~', ARGV[8]) end
redis.call('HSET', KEYS[1], 'seq', seq + count, unpack(ARGV, 10 + count))
local to = ARGV[6]
if to ~= '' then
  redis.call('HSET', KEYS[1], 'state', to)
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZADD', KEYS[4], 0, ARGV[1])
  if to == 'waiting' or to == 'delayed' then
    redis.call('HINCRBY', KEYS[1], 'deliveries', -1)
  else
    redis.call('HSET', KEYS[1], 'finishedAt', ARGV[4])
    redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
    redis.call('PEXPIRE', KEYS[2], ARGV[7])
  end
end
if count > 0 then
  redis.call('PUBLISH', ARGV[5], (seq + 1) .. ' [' .. table.concat(ARGV, ',', 10, 9 + count) .. ']')
end
return {seq + count, cancel}
