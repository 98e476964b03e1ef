-- A task was taken from its queue: whoever comes now comes after its turn. Atomic, idempotent.
-- KEYS: turns of the queue
-- ARGV: priority level, turn
local served = redis.call('HGET', KEYS[1], 'served:' .. ARGV[1])
if tonumber(ARGV[2]) > tonumber(served or 0) then redis.call('HSET', KEYS[1], 'served:' .. ARGV[1], ARGV[2]) end
