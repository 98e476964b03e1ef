-- Counts what a task has spent, and holds money for what it spends next, in all its budgets together. Atomic.
-- Repeated it changes nothing: what was spent is all that the task ever spent there, and counts by its increase; a
-- hold replaces the one before. Windows turn, and leases end, by the clock of Redis.
-- KEYS: budgets, holds, leases, then where tasks wait for each of the budgets
-- ARGV: mode, task (or ''), fence, wanted, least, order of submit, lease in ms, age of what is let go in ms,
--       then of each budget: name, limit, 1 to hold there, what becomes of a task it has no money for, spent from which
--       another tier is to be taken (or ''), starts of windows, what the task has spent
-- mode is hold (who is refused waits), top-up, force (never refused), settle (holds nothing), read, or look (wakes one).
-- A budget with less than is wanted gives what there is: at least `least` to a top-up, and to a task that has it alone.
-- Returns {status, now, budget that decided, place in line from 0, {who may try now}, spent, held, start, reset, …};
-- status is held, refused, downgrade, settled, read, stale (another worker has the task), or {clock, now}: other starts
-- are needed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mode, id, fence = ARGV[1], ARGV[2], tonumber(ARGV[3])
local wanted, least, order = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local leaseMs, ageMs = tonumber(ARGV[7]), tonumber(ARGV[8])
local MOST_WOKEN, MOST_LAPSED, WAITING_AGE_MS = 100, 20, 40 * 86400000
-- Who was told to try goes behind all others, since the word may be lost with whoever was to bring it.
local TOLD = 1e15

local counters = {}
local function counterOf(name)
  if not counters[name] then
    local window, spent, held = string.match(redis.call('HGET', KEYS[1], name) or '0 0 0', '^(%d+) (%d+) (%d+)$')
    counters[name] = {window = tonumber(window), spent = tonumber(spent), held = tonumber(held)}
  end
  return counters[name]
end

local budgets = {}
for at = 9, #ARGV, 7 do
  local budget = {name = ARGV[at], limit = tonumber(ARGV[at + 1]), holds = ARGV[at + 2] == '1', policy = ARGV[at + 3],
    leaveAt = tonumber(ARGV[at + 4]), spent = tonumber(ARGV[at + 6]), waiting = KEYS[4 + #budgets]}
  for start in string.gmatch(ARGV[at + 5], '%d+') do
    start = tonumber(start)
    if start <= now then budget.start = start elseif not budget.reset then budget.reset = start end
  end
  if not budget.start or (not budget.reset and ARGV[at + 5] ~= '0') then return {'clock', now} end
  budgets[#budgets + 1] = budget
end
for _, budget in ipairs(budgets) do
  local counter = counterOf(budget.name)
  -- A clock that went back, or another time zone, makes nothing full again.
  if budget.start > counter.window then counter.window, counter.spent = budget.start, 0 end
end

local function keep(holder, hold, untilAt)
  redis.call('HSET', KEYS[2], holder, cjson.encode(hold))
  redis.call('ZADD', KEYS[3], string.format('%.0f', untilAt), holder)
end

-- A holder that is gone may have spent all it held: that counts until somebody knows better.
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, MOST_LAPSED)) do
  local hold = redis.call('HGET', KEYS[2], gone)
  hold = hold and cjson.decode(hold)
  if hold and not hold.idle then
    hold.idle = true
    for name, part in pairs(hold.parts) do
      local counter = counterOf(name)
      counter.held, counter.spent = math.max(0, counter.held - part[1]), counter.spent + part[1]
      hold.parts[name] = {0, part[1], counter.window, part[4]}
    end
    keep(gone, hold, now + ageMs)
  else
    redis.call('HDEL', KEYS[2], gone)
    redis.call('ZREM', KEYS[3], gone)
  end
end

local status, decided, place, own, known = 'held', 0, 0, nil, false
if mode == 'look' then status = 'settled' elseif mode == 'read' then status = 'read' end
local left, guessed, had = {}, {}, {}
if id ~= '' then
  own = redis.call('HGET', KEYS[2], id)
  known = own and true
  own = known and cjson.decode(own) or {fence = fence, parts = {}}
  local spentNow = {}
  for _, budget in ipairs(budgets) do
    spentNow[budget.name] = budget.spent
    -- What a task spent before it came under any budget is nobody's; what it spends elsewhere later begins at 0.
    own.parts[budget.name] = own.parts[budget.name] or {0, 0, 0, known and 0 or budget.spent}
  end
  for name, part in pairs(own.parts) do
    local counter = counterOf(name)
    local more = math.max(0, (spentNow[name] or 0) - part[4])
    counter.spent, part[4] = counter.spent + more, part[4] + more
    if fence >= own.fence then
      if part[3] == counter.window then counter.spent = math.max(0, counter.spent - part[2]) end
      counter.held = math.max(0, counter.held - part[1])
      left[name], guessed[name], had[name] = math.max(0, part[1] - more), part[2], part[1] > 0
      part[1], part[2] = 0, 0
    end
  end
  if fence < own.fence then
    status = 'stale'
    redis.call('HSET', KEYS[2], id, cjson.encode(own))
  end
end

if status == 'held' then
  local parts, spent = {}, false
  for i, budget in ipairs(budgets) do
    if budget.holds and budget.leaveAt and counterOf(budget.name).spent >= budget.leaveAt then
      status, decided = 'downgrade', i
    end
  end
  for i, budget in ipairs(budgets) do
    if budget.holds and status ~= 'downgrade' then
      local counter = counterOf(budget.name)
      local room = budget.limit - counter.spent - counter.held
      local part
      if mode == 'force' then
        part = math.max(0, math.min(wanted, room), left[budget.name] or 0, guessed[budget.name] or 0)
      elseif room >= wanted then part = wanted
      elseif mode == 'top-up' and room >= least then part = room
      elseif counter.held <= 0 and room > 0 then part = room end
      if part and mode == 'hold' and counter.held > 0 and not had[budget.name] then
        local first = redis.call('ZRANGE', budget.waiting, 0, 0, 'WITHSCORES')
        if first[1] and first[1] ~= id and tonumber(first[2]) < order then part = nil end
      end
      if not part then
        if status ~= 'refused' then status, decided = 'refused', i end
        if counter.spent >= budget.limit and budget.policy ~= 'queue' then spent = true end
      end
      parts[budget.name] = part or 0
    end
  end
  if mode == 'settle' then status = 'settled' end
  if status ~= 'held' then
    -- Who is stopped still has to pay for the step it is in.
    parts = mode == 'top-up' and left or {}
  end
  for name, amount in pairs(parts) do
    local counter = counterOf(name)
    counter.held, own.parts[name][1] = counter.held + amount, amount
  end
  if status == 'held' or known then
    own.fence, own.idle = fence, next(parts) == nil or nil
    keep(id, own, now + (own.idle and ageMs or leaseMs))
  end
  if mode == 'hold' then
    if status == 'refused' and not spent then
      redis.call('ZADD', budgets[decided].waiting, order, id)
      redis.call('PEXPIRE', budgets[decided].waiting, WAITING_AGE_MS)
      place = redis.call('ZRANK', budgets[decided].waiting, id)
    else
      for _, budget in ipairs(budgets) do redis.call('ZREM', budget.waiting, id) end
    end
  end
end

local woken, reply = {}, {}
for _, budget in ipairs(budgets) do
  local counter = counterOf(budget.name)
  local room = budget.limit - counter.spent - counter.held
  local count = 0
  if counter.spent >= budget.limit then
    -- Nothing comes back: who waited for that has to hear it, and each who does tells two more.
    if budget.policy ~= 'queue' and status ~= 'read' and mode ~= 'top-up' then count = 2 end
  elseif room > 0 and mode == 'look' then count = 1
  elseif room > 0 and (status == 'settled' or (mode == 'hold' and status == 'held')) then
    count = wanted > 0 and math.min(math.floor(room / wanted), MOST_WOKEN) or MOST_WOKEN
    if mode == 'settle' then count = math.max(1, count) end
  end
  if count > 0 then
    local next = redis.call('ZRANGE', budget.waiting, 0, count - 1, 'WITHSCORES')
    for i = 1, #next, 2 do
      if tonumber(next[i + 1]) < TOLD then redis.call('ZINCRBY', budget.waiting, TOLD, next[i]) end
      woken[#woken + 1] = next[i]
    end
  end
  for _, number in ipairs({counter.spent, counter.held, budget.start, budget.reset or 0}) do reply[#reply + 1] = number end
end
for name, counter in pairs(counters) do
  redis.call('HSET', KEYS[1], name, string.format('%.0f %.0f %.0f', counter.window, counter.spent, counter.held))
end
return {status, now, decided, place, woken, unpack(reply)}
