-- The line of a session: one task at a time, strictly in the order they came. Its keys are those of `keys.gate`.
-- Whoever has asked for nothing in a week does not wait any more: what a crash left behind goes.
local LINE_AGE_MS = 604800000

local function line_keys(root, name)
  return root .. ':gate:' .. name .. ':holding', root .. ':gate:' .. name .. ':waiting'
end

-- Gives a new task its place: how many must leave before it may enter. A second time it changes nothing.
local function join_line(root, name, id)
  local holding, waiting = line_keys(root, name)
  local place = redis.call('ZRANK', waiting, id)
  if not place then
    redis.call('ZADD', waiting, redis.call('INCR', root .. ':gate-order'), id)
    redis.call('PEXPIRE', waiting, LINE_AGE_MS)
    redis.call('SADD', root .. ':gate-lines', name)
    place = redis.call('ZRANK', waiting, id)
  end
  return place + redis.call('SCARD', holding)
end

-- Lets the task through when it holds the line, or nobody does and nobody is before it: 1. Else 0, and nothing changes.
local function pass_line(root, name, id)
  local holding, waiting = line_keys(root, name)
  if redis.call('SISMEMBER', holding, id) == 0 then
    if redis.call('SCARD', holding) > 0 then return 0 end
    local first = redis.call('ZRANGE', waiting, 0, 0)[1]
    if first and first ~= id then return 0 end
    redis.call('SADD', holding, id)
    if first then redis.call('ZREM', waiting, id) end
  end
  redis.call('SADD', root .. ':gate-lines', name)
  redis.call('PEXPIRE', holding, LINE_AGE_MS)
  return 1
end

-- Lets go of the line, or waits there no longer: the ids of those who may try now. A second time it says so again.
local function leave_line(root, name, id)
  local holding, waiting = line_keys(root, name)
  redis.call('SREM', holding, id)
  redis.call('ZREM', waiting, id)
  if redis.call('SCARD', holding) > 0 then return {} end
  local first = redis.call('ZRANGE', waiting, 0, 0)
  if #first == 0 then redis.call('SREM', root .. ':gate-lines', name) end
  return first
end
