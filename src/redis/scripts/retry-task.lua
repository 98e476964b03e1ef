-- Puts a finished task back to waiting; the log goes on. Atomic.
-- KEYS: task, log, live, finished, failed, cancelled
-- ARGV: id, now, live channel, then field, value, … that start the task anew
-- Returns {status, queue}; status is gone, unfinished or waiting.
local head = redis.call('HMGET', KEYS[1], 'state', 'queue', 'seq', 'attempt')
local state = head[1]
if not state then return {'gone', ''} end
if state ~= 'succeeded' and state ~= 'failed' and state ~= 'cancelled' then return {'unfinished', head[2]} end
local seq = tonumber(head[3]) + 1
local batch = seq .. ' [{"type":"task-retried","at":' .. ARGV[2] .. ',"attempt":' .. (head[4] or '0') .. '}]'
redis.call('XADD', KEYS[2], seq .. '-0', 'e', batch)
redis.call('PERSIST', KEYS[2])
for id in string.gmatch(redis.call('HGET', KEYS[1], 'asks') or '', '"id":"([%w_-]+)"') do
  redis.call('HDEL', KEYS[1], 'answer:' .. id)
end
redis.call('HDEL', KEYS[1],
  'asks', 'error', 'delayUntil', 'startedAt', 'finishedAt', 'cancelAt', 'checkpoint', 'sessionID', 'server', 'done', 'lost', 'worktree', 'diff', 'comparison')
redis.call('HSET', KEYS[1], 'state', 'waiting', 'deliveries', 0, 'seq', seq, unpack(ARGV, 4))
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HINCRBY', KEYS[1], 'retries', 1)
for i = 4, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('PUBLISH', ARGV[3], batch)
return {'waiting', head[2]}
