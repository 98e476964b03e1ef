-- Counts what tasks have spent, and holds money for what they spend next, each in all of its budgets together. One asks
-- after the other, all of it atomic. Repeated it changes nothing: what was spent is all that the task ever spent there,
-- and counts by its increase; a hold replaces the one before. Windows turn by the clock of Redis.
-- KEYS: budgets, holds, prefix of the tasks, then where tasks wait for each of the budgets
-- ARGV: JSON {budgets, asks}
-- A budget is {name, limit, policy, starts}: what becomes of a task it has no money for, and starts of its windows.
-- An ask is [mode, task, fence, wanted, least, order, shares]; a share is [budget from 1, what the task has spent there,
-- 1 to hold there, spent from which another tier is to be taken or -1].
-- mode is hold (who is refused waits), top-up, force (never refused), settle (holds nothing), end (nor is it remembered),
-- forget (of one that has settled: it is not remembered), read, or look (wakes one). A budget with less than is wanted gives what there is: at least `least` to a top-up, and to
-- a task that has it alone.
-- Returns {now, tasks that may try now, an answer to each ask}: held, settled, stale (another worker has the task); or
-- {refused, downgrade or read, share that decided, place in line from 0, spent, held, start, reset, … of each share}.
-- {now} alone: other starts are needed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local MOST_WOKEN, WAITING_AGE_MS = 100, 40 * 86400000
-- Who was told to try goes behind all others, since the word may be lost with whoever was to bring it.
local TOLD = 1e15
local batch = cjson.decode(ARGV[1])
local budgets = batch.budgets

local counters = {}
local function counterOf(name)
  local counter = counters[name]
  if not counter then
    local text = redis.call('HGET', KEYS[1], name) or '0 0 0'
    local window, spent, held = string.match(text, '^(%d+) (%d+) (%d+)$')
    counter = { text = text, window = tonumber(window), spent = tonumber(spent), held = tonumber(held) }
    counters[name] = counter
  end
  return counter
end

for i, budget in ipairs(budgets) do
  for _, start in ipairs(budget.starts) do
    if start <= now then budget.start = start elseif not budget.reset then budget.reset = start end
  end
  if not budget.start or (not budget.reset and budget.starts[1] ~= 0) then return { now } end
  budget.counter, budget.line = counterOf(budget.name), KEYS[3 + i]
  budget.hasLine = redis.call('EXISTS', budget.line) == 1
  -- A clock that went back, or another time zone, makes nothing full again.
  if budget.start > budget.counter.window then budget.counter.window, budget.counter.spent = budget.start, 0 end
end

-- What a task has of each budget, by name: {held, counted: what it spent there so far}, and the fence of who holds it.
local function read(id)
  local text = redis.call('HGET', KEYS[2], id)
  if not text then return {} end
  local fence, packed = string.match(text, '^(%d+) (.*)$')
  local kept, parts = cmsgpack.unpack(packed), {}
  for i = 1, #kept, 3 do parts[kept[i]] = { held = kept[i + 1], counted = kept[i + 2] } end
  return parts, tonumber(fence)
end

local function keep(id, fence, parts)
  local kept, n = {}, 0
  for _, part in ipairs(parts) do
    kept[n + 1], kept[n + 2], kept[n + 3] = part.name, part.held, part.counted
    n = n + 3
  end
  redis.call('HSET', KEYS[2], id, string.format('%.0f ', fence) .. cmsgpack.pack(kept))
end

local function answer(status, decided, place, shares)
  local reply = { status, decided, place }
  for _, share in ipairs(shares) do
    local budget, n = budgets[share[1]], #reply
    reply[n + 1], reply[n + 2] = budget.counter.spent, budget.counter.held
    reply[n + 3], reply[n + 4] = budget.start, budget.reset or 0
  end
  return reply
end

-- How much of a budget the task may hold; nil: nothing.
local function amountFor(ask, budget, part)
  local mode, id, _, wanted, least, order = unpack(ask)
  local counter = budget.counter
  local room = budget.limit - counter.spent - counter.held
  if mode == 'force' then return math.max(0, math.min(wanted, room), part.left) end
  local amount
  if room >= wanted then amount = wanted
  elseif mode == 'top-up' and room >= least then amount = room
  elseif counter.held <= 0 and room > 0 then amount = room end
  if amount and mode == 'hold' and budget.hasLine and counter.held > 0 and not part.had then
    local first = redis.call('ZRANGE', budget.line, 0, 0, 'WITHSCORES')
    if first[1] and first[1] ~= id and tonumber(first[2]) < order then return nil end
  end
  return amount
end

-- held, refused or downgrade, with the share that decided, and whether what refuses it is spent; what it may hold is
-- in the parts, of which the first are those of the shares.
local function decide(ask, parts)
  local shares, status, decided, isSpent = ask[7], 'held', 0, false
  for i, share in ipairs(shares) do
    local budget, part = budgets[share[1]], parts[i]
    if share[3] == 1 then
      if share[4] >= 0 and budget.counter.spent >= share[4] then return 'downgrade', i end
      part.amount = amountFor(ask, budget, part)
      if not part.amount then
        if status == 'held' then status, decided = 'refused', i end
        if budget.counter.spent >= budget.limit and budget.policy ~= 'queue' then isSpent = true end
      end
    end
  end
  return status, decided, isSpent
end

-- Its place in the line it waits in from now on; it waits in no other.
local function stand(id, order, shares, awaited)
  if not awaited then
    for _, share in ipairs(shares) do
      local budget = budgets[share[1]]
      if budget.hasLine then redis.call('ZREM', budget.line, id) end
    end
    return 0
  end
  redis.call('ZADD', awaited.line, order, id)
  redis.call('PEXPIRE', awaited.line, WAITING_AGE_MS)
  awaited.hasLine = true
  return redis.call('ZRANK', awaited.line, id)
end

local function perform(ask)
  local mode, id, fence, wanted, _, order, shares = unpack(ask)
  if mode == 'read' or mode == 'look' then
    if mode == 'look' then
      for _, share in ipairs(shares) do budgets[share[1]].isLookedAt = true end
    end
    return answer('read', 0, 0, shares)
  end
  if mode == 'forget' then
    local text = redis.call('HGET', KEYS[2], id)
    if text and string.match(text, '^%d+') == string.format('%.0f', fence) then redis.call('HDEL', KEYS[2], id) end
    return 'settled'
  end
  local own, holder = read(id)
  local isStale, parts = holder and fence < holder, {}
  if not holder and mode ~= 'settle' and mode ~= 'end' then
    -- Nobody may begin who was taken over: what the task has spent in the end would count a second time.
    local head = redis.call('HMGET', KEYS[3] .. id, 'fence', 'state')
    if tonumber(head[1]) ~= fence or head[2] ~= 'running' then return 'stale' end
  end
  for i, share in ipairs(shares) do
    local budget = budgets[share[1]]
    -- What a task spent before it came under any budget is nobody's; what it spends elsewhere later begins at 0.
    local part = own[budget.name] or { held = 0, counted = holder and 0 or share[2] }
    part.name, part.counter, part.spent = budget.name, budget.counter, share[2]
    parts[i], own[budget.name] = part, nil
  end
  for name, part in pairs(own) do
    part.name, part.counter, part.spent = name, counterOf(name), 0
    parts[#parts + 1] = part
  end
  for _, part in ipairs(parts) do
    local counter, more = part.counter, math.max(0, part.spent - part.counted)
    counter.spent, part.counted = counter.spent + more, part.counted + more
    if not isStale then
      counter.held = math.max(0, counter.held - part.held)
      part.left, part.had, part.held = math.max(0, part.held - more), part.held > 0, 0
    end
  end
  if isStale then
    keep(id, holder, parts)
    return 'stale'
  end

  local status, decided, isSpent = 'settled', 0, false
  if mode ~= 'settle' and mode ~= 'end' then status, decided, isSpent = decide(ask, parts) end
  for _, part in ipairs(parts) do
    -- Who is stopped still has to pay for the step it is in.
    part.held = status == 'held' and part.amount or status ~= 'held' and mode == 'top-up' and part.left or 0
    part.counter.held = part.counter.held + part.held
  end
  if mode == 'end' then
    if holder then redis.call('HDEL', KEYS[2], id) end
  elseif holder or status == 'held' then
    keep(id, fence, parts)
  end
  local place = 0
  if mode == 'hold' then
    place = stand(id, order, shares, status == 'refused' and not isSpent and budgets[shares[decided][1]])
  end
  for _, share in ipairs(shares) do
    local budget = budgets[share[1]]
    if mode ~= 'top-up' then budget.isAsked = true end
    if status == 'settled' or (mode == 'hold' and status == 'held') then
      budget.isLeft = budget.isLeft or status == 'settled'
      budget.each = math.min(budget.each or math.huge, wanted)
    end
  end
  if status == 'refused' or status == 'downgrade' then return answer(status, decided, place, shares) end
  return status
end

-- How many of those that wait for a budget may try now.
local function mayTry(budget)
  local room = budget.limit - budget.counter.spent - budget.counter.held
  if budget.counter.spent >= budget.limit then
    -- Nothing comes back: who waited for that has to hear it, and each who does tells two more.
    return budget.policy ~= 'queue' and (budget.isAsked or budget.isLookedAt) and 2 or 0
  end
  if room <= 0 then return 0 end
  if not budget.each then return budget.isLookedAt and 1 or 0 end
  local count = budget.each > 0 and math.min(math.floor(room / budget.each), MOST_WOKEN) or MOST_WOKEN
  return budget.isLeft and math.max(1, count) or count
end

local answers = {}
for i, ask in ipairs(batch.asks) do answers[i] = perform(ask) end
local woken = {}
for _, budget in ipairs(budgets) do
  local count = budget.hasLine and mayTry(budget) or 0
  if count > 0 then
    local next = redis.call('ZRANGE', budget.line, 0, count - 1, 'WITHSCORES')
    for i = 1, #next, 2 do
      if tonumber(next[i + 1]) < TOLD then redis.call('ZINCRBY', budget.line, TOLD, next[i]) end
      woken[#woken + 1] = next[i]
    end
  end
end
for name, counter in pairs(counters) do
  local text = string.format('%.0f %.0f %.0f', counter.window, counter.spent, counter.held)
  if text ~= counter.text then redis.call('HSET', KEYS[1], name, text) end
end
return { now, woken, unpack(answers) }
