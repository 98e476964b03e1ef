-- Books what the turn of a task came to that was ended while no worker had it. Atomic; once for each end of the task.
-- KEYS: task, ledger of the day
-- ARGV: fence, when the ledger expires (epoch s), number of fields and values, field, value, …, ledger field, increase, …
-- Returns 1; 0 when the task is not over, or this was done.
local head = redis.call('HMGET', KEYS[1], 'state', 'fence')
local isOver = head[1] == 'failed' or head[1] == 'cancelled'
if not isOver or head[2] ~= ARGV[1] then return 0 end
local last = 3 + tonumber(ARGV[3])
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], unpack(ARGV, 4, last))
for i = last + 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIREAT', KEYS[2], ARGV[2])
return 1
