-- Writes the record of a new task below another one and indexes it. Atomic.
-- Repeated with the same id, or with an idempotency key that was used before, it changes nothing.
-- KEYS: task, tasks, live, parent, children of the parent, idempotency key (any key where there is none)
-- ARGV: id, most tasks that may be live, deepest level, id of the parent, control channel,
--       the answer to keep ('' without an idempotency key), its age in ms, then field, value, …
-- Returns {status, answer}; status is created, exists, repeated, full, unknown_parent, parent_finished or nested_too_deep.
local first = ARGV[6] ~= '' and redis.call('GET', KEYS[6])
if first then return {'repeated', first} end
if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists', ''} end
local parent = redis.call('HMGET', KEYS[4], 'state', 'cancelAt', 'depth')
local state = parent[1]
if not state then return {'unknown_parent', ''} end
-- A cancel takes the children along that are there: none may come after it.
if state == 'succeeded' or state == 'failed' or state == 'cancelled' or parent[2] then return {'parent_finished', ''} end
local depth = tonumber(parent[3] or '1') + 1
if depth > tonumber(ARGV[3]) then return {'nested_too_deep', ''} end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[2]) then return {'full', ''} end
if ARGV[6] ~= '' then redis.call('SET', KEYS[6], ARGV[6], 'PX', ARGV[7]) end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('ZADD', KEYS[5], 0, ARGV[1])
redis.call('HSET', KEYS[1], 'depth', depth, unpack(ARGV, 8))
if redis.call('HSETNX', KEYS[4], 'children', 1) == 1 then redis.call('PUBLISH', ARGV[5], 'parent ' .. ARGV[4]) end
return {'created', ARGV[6]}
