-- Gives a task its turn among those that wait in a queue: start-time fair queueing. Atomic.
-- KEYS: turns of the queue
-- ARGV: priority level, API key, highest number a turn may have in the queue
-- Returns {turn, its number in the queue}: after all other turns of its key, and not before the one served last.
local level = ARGV[1]
local head = redis.call('HMGET', KEYS[1], 'served:' .. level, 'base:' .. level, 'of:' .. level .. ':' .. ARGV[2])
local served, base, last = tonumber(head[1] or 0), tonumber(head[2] or 0), tonumber(head[3] or 0)
local turn = math.max(served, last) + 1
redis.call('HSET', KEYS[1], 'of:' .. level .. ':' .. ARGV[2], turn)
return {turn, math.min(turn - base, tonumber(ARGV[3]))}
