-- The line at a gate that lets one task through at a time: of a session strictly in the order they came, of a directory
-- whoever comes first while nobody holds it. Its keys are those of `keys.gate`.

local function line_keys(root, name)
  local line = root .. ':gate:' .. name
  return line .. ':holding', line .. ':waiting'
end

-- How many must leave before a task that waits is the first; nil: it does not wait.
local function place_in_line(root, name, id)
  local holding, waiting = line_keys(root, name)
  local rank = redis.call('ZRANK', waiting, id)
  return rank and rank + redis.call('SCARD', holding)
end

-- Gives a new task its place, which it must not have had: as above. With only_if_free it gets none where anybody is,
-- and then it is -1.
local function join_line(root, name, id, only_if_free)
  local holding, waiting = line_keys(root, name)
  if only_if_free and redis.call('EXISTS', holding, waiting) > 0 then return -1 end
  redis.call('ZADD', waiting, redis.call('INCR', root .. ':gate-order'), id)
  redis.call('SADD', root .. ':gate-lines', name)
  return redis.call('ZCARD', waiting) - 1 + redis.call('SCARD', holding)
end

-- Lets the task through when it holds the line, or nobody does and nobody is before it: 1. Else 0, and nothing changes.
-- With may_overtake it does not matter who is before it.
local function pass_line(root, name, id, may_overtake)
  local holding, waiting = line_keys(root, name)
  local holder = redis.call('SMEMBERS', holding)[1]
  if holder then return holder == id and 1 or 0 end
  local first = redis.call('ZRANGE', waiting, 0, 0)[1]
  if first and first ~= id and not may_overtake then return 0 end
  redis.call('SADD', holding, id)
  -- Where it waited, the line is known already.
  if first then redis.call('ZREM', waiting, id) else redis.call('SADD', root .. ':gate-lines', name) end
  return 1
end

-- Lets go of the line, or waits there no longer: the ids of those who may try now. A second time it says so again.
local function leave_line(root, name, id)
  local holding, waiting = line_keys(root, name)
  if redis.call('SREM', holding, id) == 0 then
    redis.call('ZREM', waiting, id)
    if redis.call('SCARD', holding) > 0 then return {} end
  end
  local first = redis.call('ZRANGE', waiting, 0, 0)
  if #first == 0 then redis.call('SREM', root .. ':gate-lines', name) end
  return first
end
