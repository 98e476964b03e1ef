-- Lets a task go from a gate, whether it holds it or waits there, and tells who may try now. Atomic, idempotent.
-- KEYS: holding, waiting, lines
-- ARGV: id ('': of nobody), most that may hold it at once, name of the gate
-- Who is told stays in line until it comes, since the word may be lost. Returns their ids.
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local held = redis.call('SCARD', KEYS[1])
if held == 0 and redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[3], ARGV[3]) end
local free = tonumber(ARGV[2]) - held
if free <= 0 then return {} end
return redis.call('ZRANGE', KEYS[2], 0, free - 1)
