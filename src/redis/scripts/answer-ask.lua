-- Decides an ask of a task, unless that was done. Atomic; the first decision holds.
-- KEYS: task
-- ARGV: ask, decision, control channel (or ''), message for it
-- Returns {status, decision that holds}; status is gone, unknown, over, closed or decided.
local head = redis.call('HMGET', KEYS[1], 'state', 'asks', 'answer:' .. ARGV[1])
if not head[1] then return {'gone'} end
if not head[2] or not string.find(head[2], '"id":"' .. ARGV[1] .. '"', 1, true) then return {'unknown'} end
if head[3] then return {'closed', head[3]} end
if head[1] == 'succeeded' or head[1] == 'failed' or head[1] == 'cancelled' then return {'over'} end
redis.call('HSET', KEYS[1], 'answer:' .. ARGV[1], ARGV[2])
if ARGV[3] ~= '' then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return {'decided', ARGV[2]}
