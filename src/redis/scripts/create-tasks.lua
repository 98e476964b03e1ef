-- Takes new tasks in: writes the record of each and indexes it, gives it its place in the line of its session, adds its
-- job, and tells those who follow the events of its session. Each of them wholly or not at all, whatever becomes of the
-- others; repeating it after a lost reply changes nothing. A task that is not the first in its line gets no job: that is
-- put off by what depends on its place.
-- Needs line.lua, and `add`: BullMQ's scripts that add a job, by name, as functions of Redis, cmsgpack, their keys and
-- arguments.
-- KEYS: tasks, live, then for each way to add a job (a script and a queue) those of BullMQ
-- ARGV: packed: root of the keys, most tasks that may be live, deepest level; for each way its script and how many keys;
--       for each task its id, {way, BullMQ's three arguments} or nil for no job, what else it asks for or nil, and
--       {field, value, …}. What else: {line, onlyIfFree: true where it shall not wait there, parent, once: {key, answer,
--       ageMs}}
-- Returns to each how many must leave its line before it may start; or {status, the answer that was kept}, and then
-- nothing was written: repeated, gone, full, occupied, unknown_parent, parent_finished or nested_too_deep.
local root, most, deepest, scripts, tasks = unpack(cmsgpack.unpack(ARGV[1]))
local live, nothing, index = redis.call('ZCARD', KEYS[2]), {}, {}

-- The Redis of BullMQ's scripts: nobody listens to their events, since each task has a log of its own.
local quiet = {call = function(command, ...)
  if command ~= 'XADD' then return redis.call(command, ...) end
end}

-- And their cmsgpack: what they are given is unpacked already.
local plain = {unpack = function(given) return given end}

local ways, key = {}, 3
for way, wanted in ipairs(scripts) do
  local script, keys = unpack(wanted)
  ways[way] = {add[script], {unpack(KEYS, key, key + keys - 1)}}
  key = key + keys
end

-- Why the parent takes no child; nil, and the level of the child.
local function refusal_of(parent)
  local head = redis.call('HMGET', root .. ':task:' .. parent, 'state', 'cancelAt', 'depth')
  local state = head[1]
  if not state then return 'unknown_parent' end
  -- A cancel takes the children along that are there: none may come after it.
  if state == 'succeeded' or state == 'failed' or state == 'cancelled' or head[2] then return 'parent_finished' end
  local depth = tonumber(head[3] or '1') + 1
  if depth > deepest then return 'nested_too_deep' end
  return nil, depth
end

local function create(id, job, more, fields)
  local task = root .. ':task:' .. id
  local parent, line, once = more.parent, more.line, more.once
  local function deliver()
    if not job then return end
    local add_job, keys = unpack(ways[job[1]])
    add_job(quiet, plain, keys, job[2])
  end

  if redis.call('EXISTS', task) == 1 then
    local before = line and place_in_line(root, line, id)
    -- Since then those before it have left, and found no job to wake.
    if before == 0 then deliver() end
    return before or 0
  end
  local first = once and redis.call('GET', once.key)
  if first then return {'repeated', first} end
  -- It was there, and was deleted since.
  if parent and redis.call('ZSCORE', root .. ':children:' .. parent, id) then return {'gone'} end
  local refusal, depth
  if parent then refusal, depth = refusal_of(parent) end
  if refusal then return {refusal} end
  if live >= most then return {'full'} end
  local before = line and join_line(root, line, id, more.onlyIfFree) or 0
  if before < 0 then return {'occupied'} end

  redis.call('HSET', task, unpack(fields))
  live = live + 1
  index[#index + 1], index[#index + 2] = 0, id
  if once then redis.call('SET', once.key, once.answer, 'PX', once.ageMs) end
  if parent then
    redis.call('HSET', task, 'depth', depth)
    redis.call('ZADD', root .. ':children:' .. parent, 0, id)
    if redis.call('HSETNX', root .. ':task:' .. parent, 'children', 1) == 1 then
      redis.call('PUBLISH', root .. ':control', 'parent ' .. parent)
    end
  end
  if before == 0 then deliver() end
  if line then redis.call('PUBLISH', root .. ':session-notices', 'accepted ' .. id) end
  return before
end

local replies = {}
for i, new in ipairs(tasks) do
  local id, job, more, fields = unpack(new, 1, 4)
  replies[i] = create(id, job, more or nothing, fields)
end
if #index > 0 then
  redis.call('ZADD', KEYS[1], unpack(index))
  redis.call('ZADD', KEYS[2], unpack(index))
end
return replies
