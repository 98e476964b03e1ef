-- What the scripts of the limits share; it is put before each of them.
-- All keys are built from the first, and have its hash tag:
--   holders          hash: task that was let through → what it holds, packed
--   waiters          hash: task that waits → what for, packed
--   caps             hash: limit → 'concurrency requests tokens', '-' where there is none; key:* is of any other key
--   LIMIT:holding    set: tasks with a slot
--   LIMIT:lent       hash: task with a slot that waits for others → the task that uses the slot meanwhile
--   LIMIT:waiting    sorted set: task → its turn; those below a parent come first
--   LIMIT:turns      hash: the turn that was served last, and the last one given to each key; while anybody waits
--   LIMIT:minute     hash: r<slice> and t<slice> → requests and tokens; a slice is a sixtieth of a minute
-- What a script needs of a limit it reads once; what it counts in a minute is written by `finish`, once for all.
-- KEYS: prefix, live, prefix of the children of a task
-- ARGV: length of a minute in ms, …
local call, PREFIX, SLICE_MS = redis.call, KEYS[1], tonumber(ARGV[1]) / 60
local HOLDERS, WAITERS, CAPS = PREFIX .. 'holders', PREFIX .. 'waiters', PREFIX .. 'caps'
-- A turn of a nested task is so much less.
local NESTED, MOST_LOOKS = 2 ^ 40, 1000
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slice = math.floor(now / SLICE_MS)
local limits, granted = {}, {}

local function key(limit, part) return PREFIX .. limit .. ':' .. part end

local function pack(entry)
  local lenders = next(entry.lenders) and entry.lenders or false
  return cmsgpack.pack({ entry.depth, entry.key, entry.r, entry.t, entry.at or 0, entry.place or false, lenders,
    unpack(entry.limits) })
end

-- What a task holds or waits for, and whether it holds it.
local function read(id)
  local held = call('HGET', HOLDERS, id)
  local text = held or call('HGET', WAITERS, id)
  if not text then return nil end
  local part = cmsgpack.unpack(text)
  return { depth = part[1], key = part[2], r = part[3], t = part[4], at = part[5], place = part[6] or nil,
    lenders = part[7] or {}, limits = { unpack(part, 8) } }, held and true
end

-- Requests (r) and tokens (t) of the last sixty slices and the present one, by slice and in all.
local function lastMinute(name)
  local minute, old = { r = {}, t = {}, sum = { r = 0, t = 0 }, added = { r = {}, t = {} } }, {}
  local counts = call('HGETALL', key(name, 'minute'))
  for i = 1, #counts, 2 do
    local kind, at, count = string.sub(counts[i], 1, 1), tonumber(string.sub(counts[i], 2)), tonumber(counts[i + 1])
    if at < slice - 60 then
      old[#old + 1] = counts[i]
    else
      minute.sum[kind] = minute.sum[kind] + count
      minute[kind][at] = count
    end
  end
  if #old > 0 then call('HDEL', key(name, 'minute'), unpack(old)) end
  return minute
end

local function limitOf(name)
  local limit = limits[name]
  if limit then return limit end
  local found = call('HGET', CAPS, name)
  if not found and string.sub(name, 1, 4) == 'key:' then found = call('HGET', CAPS, 'key:*') end
  local concurrency, requests, tokens = string.match(found or '- - -', '(%S+) (%S+) (%S+)')
  limit = { name = name, concurrency = tonumber(concurrency), r = tonumber(requests), t = tonumber(tokens),
    holding = call('SCARD', key(name, 'holding')), waiting = call('ZCARD', key(name, 'waiting')),
    lent = call('HLEN', key(name, 'lent')) }
  limit.minute = (limit.r or limit.t) and lastMinute(name)
  limits[name] = limit
  return limit
end

local function count(limit, kind, at, number)
  if number == 0 or not limit[kind] then return end
  local minute = limit.minute
  minute[kind][at] = (minute[kind][at] or 0) + number
  minute.sum[kind] = minute.sum[kind] + number
  minute.added[kind][at] = (minute.added[kind][at] or 0) + number
end

-- Writes what was counted, and gives the tasks that were let through by others than themselves.
local function finish(answered)
  for name, limit in pairs(limits) do
    local isCounted = false
    for kind, slices in pairs(limit.minute and limit.minute.added or {}) do
      for at, number in pairs(slices) do
        isCounted = true
        call('HINCRBY', key(name, 'minute'), kind .. string.format('%.0f', at), string.format('%.0f', number))
      end
    end
    if isCounted then call('PEXPIRE', key(name, 'minute'), math.ceil(120 * SLICE_MS)) end
  end
  local others = {}
  for _, id in ipairs(granted) do if not answered[id] then others[#others + 1] = id end end
  return others
end

-- A turn that is over cost other than was estimated. What was too much is taken back where it was counted.
local function settle(entry, requests, tokens)
  for _, name in ipairs(entry.limits) do
    local limit = limitOf(name)
    for kind, more in pairs({ r = requests - entry.r, t = tokens - entry.t }) do
      if more > 0 then count(limit, kind, slice, more)
      elseif entry.at >= slice - 60 then count(limit, kind, entry.at, more) end
    end
  end
  entry.r, entry.t = requests, tokens
end

-- A task that has a slot and only waits for tasks below it, as long as none uses the slot meanwhile. It may be of
-- another tree: two parents that hold what the children of the other want would wait for ever.
local function lenderOf(limit, depth)
  local lent, busy = call('HGETALL', key(limit.name, 'lent')), {}
  local holders = call('SMEMBERS', key(limit.name, 'holding'))
  for i = 1, #lent, 2 do
    busy[lent[i]] = true
    holders[#holders + 1] = lent[i + 1]
  end
  for _, id in ipairs(holders) do
    local holder = not busy[id] and read(id)
    if holder and holder.depth < depth and #call('ZINTER', 2, KEYS[3] .. id, KEYS[2]) > 0 then return id end
  end
end

-- What of a limit is used up for a task: concurrency, r or t; nil and who lends it a slot, if anybody must.
local function lack(limit, entry, hasSlot)
  local lender
  if limit.concurrency and not hasSlot and limit.holding >= limit.concurrency then
    lender = entry.depth > 1 and lenderOf(limit, entry.depth)
    if not lender then return 'concurrency' end
  end
  -- Who wants more than a minute has is let through when nobody else was.
  local sum = limit.minute and limit.minute.sum
  if limit.r and sum.r > 0 and sum.r + entry.r > limit.r then return 'r' end
  if limit.t and sum.t > 0 and sum.t + entry.t > limit.t then return 't' end
  return nil, lender
end

-- The first limit that refuses the task, and what of it is used up; nil, nil and its lenders when none does.
local function refusal(entry, hasSlot)
  local lenders = {}
  for _, name in ipairs(entry.limits) do
    local what, lender = lack(limitOf(name), entry, hasSlot)
    if what then return name, what end
    lenders[name] = lender
  end
  return nil, nil, lenders
end

local function unwait(id, entry)
  local limit = limitOf(entry.place)
  limit.waiting = limit.waiting - call('ZREM', key(limit.name, 'waiting'), id)
  if limit.waiting == 0 then call('DEL', key(limit.name, 'turns')) end
  call('HDEL', WAITERS, id)
  entry.place = nil
end

local function take(id, entry, lenders)
  if entry.place then unwait(id, entry) end
  entry.at, entry.lenders = slice, lenders
  for _, name in ipairs(entry.limits) do
    local limit = limitOf(name)
    if lenders[name] then
      limit.lent = limit.lent + call('HSET', key(name, 'lent'), lenders[name], id)
    else
      limit.holding = limit.holding + call('SADD', key(name, 'holding'), id)
    end
    count(limit, 'r', slice, entry.r)
    count(limit, 't', slice, entry.t)
  end
  call('HSET', HOLDERS, id, pack(entry))
end

-- Puts a task into the line of a limit: after the others of its key, and so that keys take turns.
local function await(id, entry, name)
  if entry.place == name then return end
  if entry.place then unwait(id, entry) end
  local turns = call('HMGET', key(name, 'turns'), 'served', 'of:' .. entry.key)
  local turn = math.max(tonumber(turns[1] or 0), tonumber(turns[2] or 0)) + 1
  call('HSET', key(name, 'turns'), 'of:' .. entry.key, turn)
  local limit = limitOf(name)
  limit.waiting = limit.waiting + call('ZADD', key(name, 'waiting'), entry.depth > 1 and turn - NESTED or turn, id)
  entry.place = name
  call('HSET', WAITERS, id, pack(entry))
end

-- Gives what is free of a limit to those who wait for it, in their order.
local function serve(name)
  local limit, waiting, passed = limitOf(name), key(name, 'waiting'), 0
  for _ = 1, MOST_LOOKS do
    if limit.waiting == 0 then return end
    local head = call('ZRANGE', waiting, passed, passed, 'WITHSCORES')
    local id, turn = head[1], tonumber(head[2])
    if not id then return end
    if turn > 0 and limit.concurrency and limit.holding >= limit.concurrency then return end
    local entry, holds = read(id)
    if not entry or holds then
      limit.waiting = limit.waiting - call('ZREM', waiting, id)
    else
      local at, _, lenders = refusal(entry)
      if not at then
        call('HSET', key(name, 'turns'), 'served', turn > 0 and turn or turn + NESTED)
        take(id, entry, lenders)
        granted[#granted + 1] = id
      elseif at ~= name then await(id, entry, at)
      -- No lender for this one, maybe for the next.
      elseif turn < 0 then passed = passed + 1
      else return end
    end
  end
end

-- Takes back all that a task has, whether slots or a place in line.
local function release(id, entry, holds)
  if not holds then return unwait(id, entry) end
  for _, name in ipairs(entry.limits) do
    local limit, holding, lent, lender = limitOf(name), key(name, 'holding'), key(name, 'lent'), entry.lenders[name]
    local user = limit.lent > 0 and call('HGET', lent, id)
    local below = user and read(user)
    if user then limit.lent = limit.lent - call('HDEL', lent, id) end
    if not lender then limit.holding = limit.holding - call('SREM', holding, id)
    elseif not below then limit.lent = limit.lent - call('HDEL', lent, lender) end
    if below then
      -- Who used its slot meanwhile keeps it.
      below.lenders[name] = lender
      call('HSET', HOLDERS, user, pack(below))
      if lender then limit.lent = limit.lent + call('HSET', lent, lender, user)
      else limit.holding = limit.holding + call('SADD', holding, user) end
    end
  end
  call('HDEL', HOLDERS, id)
end
