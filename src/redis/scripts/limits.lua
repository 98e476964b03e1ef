-- What the scripts of the limits share; it is put before each of them.
-- All keys are built from the first, and have its hash tag:
--   tasks            hash: task → what it holds or waits for, as JSON
--   caps             hash: limit → 'concurrency requests tokens', '-' where there is none; key:* is of any other key
--   LIMIT:holding    sorted set: task with a slot → epoch ms it was given
--   LIMIT:lent       hash: task with a slot that waits for others → the task that uses the slot meanwhile
--   LIMIT:waiting    sorted set: task → its turn; those below a parent come first
--   LIMIT:turns      hash: the turn that was served last, and the last one given to each key; while anybody waits
--   LIMIT:minute     hash: r<slice> and t<slice> → requests and tokens; a slice is a sixtieth of a minute
-- KEYS: prefix, live, prefix of the children of a task
-- ARGV: length of a minute in ms, …
local call, PREFIX, SLICE_MS = redis.call, KEYS[1], tonumber(ARGV[1]) / 60
-- A turn of a nested task is so much less.
local NESTED, MOST_LOOKS = 2 ^ 40, 1000
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slice = math.floor(now / SLICE_MS)
local caps, granted = {}, {}

local function key(limit, part) return PREFIX .. limit .. ':' .. part end

local function read(id)
  local text = call('HGET', PREFIX .. 'tasks', id)
  return text and cjson.decode(text)
end

local function keep(id, entry) call('HSET', PREFIX .. 'tasks', id, cjson.encode(entry)) end

local function capsOf(limit)
  if not caps[limit] then
    local found = call('HGET', PREFIX .. 'caps', limit)
    if not found and string.sub(limit, 1, 4) == 'key:' then found = call('HGET', PREFIX .. 'caps', 'key:*') end
    local concurrency, requests, tokens = string.match(found or '- - -', '(%S+) (%S+) (%S+)')
    caps[limit] = { concurrency = tonumber(concurrency), r = tonumber(requests), t = tonumber(tokens) }
  end
  return caps[limit]
end

-- Requests (r) and tokens (t) of the last sixty slices and the present one: as sums, and by slice.
local function lastMinute(limit)
  local sums, slices, old = { r = 0, t = 0 }, { r = {}, t = {} }, {}
  local counts = call('HGETALL', key(limit, 'minute'))
  for i = 1, #counts, 2 do
    local kind, at, count = string.sub(counts[i], 1, 1), tonumber(string.sub(counts[i], 2)), tonumber(counts[i + 1])
    if at < slice - 60 then
      old[#old + 1] = counts[i]
    else
      sums[kind] = sums[kind] + count
      table.insert(slices[kind], { at = at, count = count })
    end
  end
  if #old > 0 then call('HDEL', key(limit, 'minute'), unpack(old)) end
  return sums, slices
end

local function count(limit, kind, at, number)
  if number == 0 or not capsOf(limit)[kind] then return end
  call('HINCRBY', key(limit, 'minute'), kind .. string.format('%.0f', at), string.format('%.0f', number))
  call('PEXPIRE', key(limit, 'minute'), math.ceil(120 * SLICE_MS))
end

-- A turn that is over cost other than was estimated. What was too much is taken back where it was counted.
local function settle(entry, requests, tokens)
  for kind, real in pairs({ r = requests, t = tokens }) do
    local more = real - entry[kind]
    entry[kind] = real
    for _, limit in ipairs(entry.limits) do
      if more > 0 then count(limit, kind, slice, more)
      elseif entry.at >= slice - 60 then count(limit, kind, entry.at, more) end
    end
  end
end

-- A task that has a slot and only waits for tasks below it, as long as none uses the slot meanwhile. It may be of
-- another tree: two parents that hold what the children of the other want would wait for ever.
local function lenderOf(limit, depth)
  local lent, busy = call('HGETALL', key(limit, 'lent')), {}
  local holders = call('ZRANGE', key(limit, 'holding'), 0, -1)
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
  local cap, lender = capsOf(limit), nil
  if cap.concurrency and not hasSlot and call('ZCARD', key(limit, 'holding')) >= cap.concurrency then
    lender = entry.depth > 1 and lenderOf(limit, entry.depth)
    if not lender then return 'concurrency' end
  end
  if cap.r or cap.t then
    local sums = lastMinute(limit)
    for _, kind in ipairs({ 'r', 't' }) do
      -- Who wants more than a minute has is let through when nobody else was.
      if cap[kind] and sums[kind] > 0 and sums[kind] + entry[kind] > cap[kind] then return kind end
    end
  end
  return nil, lender
end

-- The first limit that refuses the task, and what of it is used up; nil, nil and its lenders when none does.
local function refusal(entry, hasSlot)
  local lenders = {}
  for _, limit in ipairs(entry.limits) do
    local what, lender = lack(limit, entry, hasSlot)
    if what then return limit, what end
    lenders[limit] = lender
  end
  return nil, nil, lenders
end

local function take(id, entry, lenders)
  entry.granted, entry.place, entry.at, entry.lenders = true, nil, slice, lenders
  for _, limit in ipairs(entry.limits) do
    if lenders[limit] then call('HSET', key(limit, 'lent'), lenders[limit], id)
    else call('ZADD', key(limit, 'holding'), now, id) end
    count(limit, 'r', slice, entry.r)
    count(limit, 't', slice, entry.t)
  end
  keep(id, entry)
end

local function unwait(id, limit)
  call('ZREM', key(limit, 'waiting'), id)
  if call('EXISTS', key(limit, 'waiting')) == 0 then call('DEL', key(limit, 'turns')) end
end

-- Puts a task into the line of a limit: after the others of its key, and so that keys take turns.
local function await(id, entry, limit)
  if entry.place == limit then return end
  if entry.place then unwait(id, entry.place) end
  local turns = call('HMGET', key(limit, 'turns'), 'served', 'of:' .. entry.key)
  local turn = math.max(tonumber(turns[1] or 0), tonumber(turns[2] or 0)) + 1
  call('HSET', key(limit, 'turns'), 'of:' .. entry.key, turn)
  call('ZADD', key(limit, 'waiting'), entry.depth > 1 and turn - NESTED or turn, id)
  entry.place = limit
  keep(id, entry)
end

-- Gives what is free of a limit to those who wait for it, in their order.
local function serve(limit)
  local waiting, passed = key(limit, 'waiting'), 0
  for _ = 1, MOST_LOOKS do
    local head = call('ZRANGE', waiting, passed, passed, 'WITHSCORES')
    local id, turn = head[1], tonumber(head[2])
    if not id then return end
    local cap = capsOf(limit).concurrency
    if turn > 0 and cap and call('ZCARD', key(limit, 'holding')) >= cap then return end
    local entry = read(id)
    if not entry then
      call('ZREM', waiting, id)
    else
      local at, _, lenders = refusal(entry)
      if not at then
        call('HSET', key(limit, 'turns'), 'served', turn > 0 and turn or turn + NESTED)
        unwait(id, limit)
        take(id, entry, lenders)
        granted[#granted + 1] = id
      elseif at ~= limit then await(id, entry, at)
      -- No lender for this one, maybe for the next.
      elseif turn < 0 then passed = passed + 1
      else return end
    end
  end
end

-- Takes back all that a task has, whether slots or a place in line.
local function release(id, entry)
  if entry.place then unwait(id, entry.place) end
  for _, limit in ipairs(entry.granted and entry.limits or {}) do
    local holding, lent, lender = key(limit, 'holding'), key(limit, 'lent'), entry.lenders[limit]
    local user = call('HGET', lent, id)
    local below = user and read(user)
    if user then call('HDEL', lent, id) end
    if not lender then call('ZREM', holding, id) elseif not below then call('HDEL', lent, lender) end
    if below then
      -- Who used its slot meanwhile keeps it.
      below.lenders[limit] = lender
      keep(user, below)
      if lender then call('HSET', lent, lender, user) else call('ZADD', holding, now, user) end
    end
  end
  call('HDEL', PREFIX .. 'tasks', id)
end
