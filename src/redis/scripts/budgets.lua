-- Counts what tasks have spent, and holds money for what they spend next, each in all of its budgets together. Windows
-- turn by the clock of Redis. It is put before the scripts that ask.
--   ROOT:budgets      hash: budget → start of its window, spent, held, whether somebody may wait; packed
--   ROOT:holds        hash: task → fence of who holds, names of its budgets, what it holds of each, what was counted of each;
--                     packed, and a number where it is the same for all
-- What a script needs of tasks and budgets it reads once, and writes once: `finish` does.
-- A budget is {name, limit, 1 where a task waits for its next window, start of a window, …}; a list of shares is
-- {budget from 1, 1 to hold there, spent from which another tier is to be taken or -1, …}; `ids`: the tasks it is about.
-- Gives nil when other starts are needed.
local function open_budgets(root, now, facts, lists, ids)
  local call, COUNTERS, HOLDS = redis.call, root .. ':budgets', root .. ':holds'
  local MOST_WOKEN, WAITING_AGE_MS = 100, 40 * 86400000
  -- Who was told to try goes behind all others, since the word may be lost with whoever was to bring it.
  local TOLD = 1e15
  local budgets, counters, texts, changed = {}, {}, {}, {}

  local function remember(name, text)
    local window, spent, held, hasLine = 0, 0, 0, false
    if text then window, spent, held, hasLine = cmsgpack.unpack(text) end
    local counter = { text = text, window = window, spent = spent, held = held, hasLine = hasLine }
    counters[name] = counter
    return counter
  end

  local function counter_of(name) return counters[name] or remember(name, call('HGET', COUNTERS, name)) end

  local function read_all()
    local names = {}
    for i, fact in ipairs(facts) do names[i] = fact[1] end
    for i, text in ipairs(#names > 0 and call('HMGET', COUNTERS, unpack(names)) or {}) do
      if not counters[names[i]] then remember(names[i], text) end
    end
    for i, text in ipairs(#ids > 0 and call('HMGET', HOLDS, unpack(ids)) or {}) do texts[ids[i]] = text end
  end

  local function open()
    for i, fact in ipairs(facts) do
      local counter, start, reset = counters[fact[1]], nil, nil
      for j = 4, #fact do
        if fact[j] <= now then start = fact[j] elseif not reset then reset = fact[j] end
      end
      if not start or (not reset and fact[4] ~= 0) then return false end
      -- A clock that went back, or another time zone, makes nothing full again.
      if start > counter.window then counter.window, counter.spent = start, 0 end
      local line = root .. ':gate:budget:' .. fact[1] .. ':waiting'
      counter.hasLine = counter.hasLine and call('EXISTS', line) == 1
      budgets[i] = { name = fact[1], limit = fact[2], waits = fact[3] == 1, counter = counter, start = start,
        reset = reset or 0, line = line }
    end
    for i, list in ipairs(lists) do
      local shares, names = {}, {}
      for j = 1, #list, 3 do
        local budget = budgets[list[j]]
        shares[#shares + 1] = { budget = budget, counter = budget.counter, holds = list[j + 1] == 1, leaveAt = list[j + 2] }
        names[#names + 1] = budget.name
      end
      shares.names = table.concat(names, '\n')
      lists[i] = shares
    end
    return true
  end

  -- Of the ask at hand, share by share, then of what else the task has; used again for each ask.
  local counts, counted, had, left, held = {}, {}, {}, {}, {}

  -- Counts what was spent since the last report, and takes the hold back.
  local function settle(i, counter, wasHeld, wasCounted, spent, isStale)
    local more = spent > wasCounted and spent - wasCounted or 0
    counts[i], counted[i], held[i] = counter, wasCounted + more, wasHeld
    counter.spent = counter.spent + more
    if isStale then return end
    counter.held = math.max(0, counter.held - wasHeld)
    had[i], left[i], held[i] = wasHeld > 0, math.max(0, wasHeld - more), 0
  end

  local function at(figures, i) return type(figures) == 'table' and figures[i] or figures end

  -- The same for all shares of a task; gives how many it has then, and their names.
  local function settle_all(shares, spent, own, ownNames, ownHeld, ownCounted, isStale)
    if not own or ownNames == shares.names then
      for i = 1, #shares do
        local told = at(spent, i)
        -- What a task spent before it came under any budget is nobody's.
        settle(i, shares[i].counter, own and at(ownHeld, i) or 0, own and at(ownCounted, i) or told, told, isStale)
      end
      return #shares, shares.names
    end
    local n, positions, names, list = 0, {}, {}, shares.names
    for name in string.gmatch(ownNames, '[^\n]+') do
      n = n + 1
      names[n], positions[name] = name, n
    end
    for i = 1, #shares do
      local j = positions[shares[i].budget.name]
      -- What it spends elsewhere later begins at 0.
      settle(i, shares[i].counter, j and at(ownHeld, j) or 0, j and at(ownCounted, j) or 0, at(spent, i), isStale)
      if j then names[j] = false end
    end
    local last = #shares
    for j = 1, n do
      if names[j] then
        last, list = last + 1, list == '' and names[j] or list .. '\n' .. names[j]
        settle(last, counter_of(names[j]), at(ownHeld, j), at(ownCounted, j), 0, isStale)
      end
    end
    return last, list
  end

  -- One number where all are the same.
  local function brief(figures, n)
    for i = 2, n do
      if figures[i] ~= figures[1] then return { unpack(figures, 1, n) } end
    end
    return figures[1] or 0
  end

  -- Many are the same, and to pack one takes long.
  local known = {}
  local function text_of(fence, names, heldOfEach, countedOfEach)
    if known.fence ~= fence or known.names ~= names or known.held ~= heldOfEach or known.counted ~= countedOfEach then
      known.fence, known.names, known.held, known.counted = fence, names, heldOfEach, countedOfEach
      known.text = cmsgpack.pack(fence, names, heldOfEach, countedOfEach)
    end
    return known.text
  end

  local function keep(id, fence, names, n)
    texts[id], changed[id] = text_of(fence, names, brief(held, n), brief(counted, n)), true
  end

  local function answer(status, decided, place, shares)
    local reply = { status, decided, place }
    for i = 1, #shares do
      local budget, n = shares[i].budget, #reply
      reply[n + 1], reply[n + 2] = budget.counter.spent, budget.counter.held
      reply[n + 3], reply[n + 4] = budget.start, budget.reset
    end
    return reply
  end

  -- How much of a budget the task may hold; nil: nothing.
  local function amount_for(i, id, budget, mode, wanted, least, order)
    local counter = budget.counter
    local room, amount = budget.limit - counter.spent - counter.held, nil
    if mode == 'force' then return math.max(0, math.min(wanted, room), left[i]) end
    if room >= wanted then amount = wanted
    elseif mode == 'top-up' and room >= least then amount = room
    elseif counter.held <= 0 and room > 0 then amount = room end
    if amount and mode == 'hold' and counter.hasLine and counter.held > 0 and not had[i] then
      local first = call('ZRANGE', budget.line, 0, 0, 'WITHSCORES')
      if first[1] and first[1] ~= id and tonumber(first[2]) < order then return nil end
    end
    return amount
  end

  -- Most tasks spend and hold as much of each of their budgets, and find room in all: then one figure says what many
  -- would. Gives false, and nothing has changed, where it is not that simple; what is held then replaces `wasHeld`.
  local function perform_alike(shares, mode, wanted, spent, wasHeld, wasCounted)
    local more, isHolding = spent > wasCounted and spent - wasCounted or 0, mode == 'hold' or mode == 'top-up'
    if isHolding then
      for i = 1, #shares do
        local share = shares[i]
        local counter = share.counter
        local before = counter.held > wasHeld and counter.held - wasHeld or 0
        if not share.holds or counter.hasLine or counter.spent + more + before + wanted > share.budget.limit
          or (share.leaveAt >= 0 and counter.spent + more >= share.leaveAt) then return false end
      end
    end
    local held = isHolding and wanted or 0
    for i = 1, #shares do
      local budget = shares[i].budget
      local counter = budget.counter
      if more > 0 then counter.spent = counter.spent + more end
      counter.held = (counter.held > wasHeld and counter.held - wasHeld or 0) + held
      -- As `note` says.
      if mode ~= 'top-up' then
        budget.isAsked = true
        if not isHolding then budget.isLeft = true end
        if not budget.each or wanted < budget.each then budget.each = wanted end
      end
    end
    return true
  end

  -- held, refused or downgrade, with the share that decided, and whether what refuses it is spent; what it may hold is
  -- in `held` then.
  local function decide(id, mode, wanted, least, order, shares)
    local status, decided, isSpent = 'held', 0, false
    for i = 1, #shares do
      local share = shares[i]
      if share.holds then
        local budget, counter = share.budget, share.counter
        if share.leaveAt >= 0 and counter.spent >= share.leaveAt then return 'downgrade', i end
        local amount = amount_for(i, id, budget, mode, wanted, least, order)
        held[i] = amount or 0
        if not amount then
          if status == 'held' then status, decided = 'refused', i end
          if counter.spent >= budget.limit and not budget.waits then isSpent = true end
        end
      end
    end
    return status, decided, isSpent
  end

  -- Its place in the line it waits in from now on; it waits in no other.
  local function stand(id, order, shares, awaited)
    if not awaited then
      for i = 1, #shares do
        if shares[i].counter.hasLine then call('ZREM', shares[i].budget.line, id) end
      end
      return 0
    end
    call('ZADD', awaited.line, order, id)
    call('PEXPIRE', awaited.line, WAITING_AGE_MS)
    awaited.counter.hasLine = true
    return call('ZRANK', awaited.line, id)
  end

  -- What is free may be taken by others, whose tasks want about as much.
  local function note(mode, status, wanted, shares)
    for i = 1, #shares do
      local budget = shares[i].budget
      if mode ~= 'top-up' then budget.isAsked = true end
      if status == 'settled' or (mode == 'hold' and status == 'held') then
        budget.isLeft = budget.isLeft or status == 'settled'
        if not budget.each or wanted < budget.each then budget.each = wanted end
      end
    end
  end

  local function perform(id, mode, fence, wanted, least, order, list, spent)
    local shares = lists[list]
    if mode == 'read' or mode == 'look' then
      for i = 1, #shares do
        if mode == 'look' then shares[i].budget.isLookedAt = true end
      end
      return answer('read', 0, 0, shares)
    end
    if texts[id] == nil then texts[id] = call('HGET', HOLDS, id) end
    local own, isHolding = texts[id], mode ~= 'settle' and mode ~= 'end'
    local holder, ownNames, ownHeld, ownCounted
    if own then
      holder, ownNames, ownHeld, ownCounted = cmsgpack.unpack(own)
    elseif isHolding then
      -- Nobody may begin who was taken over: what the task has spent in the end would count a second time.
      local head = call('HMGET', root .. ':task:' .. id, 'fence', 'state')
      if tonumber(head[1]) ~= fence or head[2] ~= 'running' then return 'stale' end
    end
    local isStale = own and fence < holder
    if not own then ownNames, ownHeld, ownCounted = shares.names, 0, spent end
    if not isStale and mode ~= 'force' and ownNames == shares.names and type(spent) == 'number'
      and type(ownHeld) == 'number' and type(ownCounted) == 'number'
      and perform_alike(shares, mode, wanted, spent, ownHeld, ownCounted) then
      if mode == 'end' then
        if own then texts[id], changed[id] = false, true end
      elseif own or isHolding then
        texts[id], changed[id] = text_of(fence, ownNames, isHolding and wanted or 0, math.max(spent, ownCounted)), true
      end
      return isHolding and 'held' or 'settled'
    end
    local n, names = settle_all(shares, spent, own, ownNames, ownHeld, ownCounted, isStale)
    if isStale then
      keep(id, holder, names, n)
      return 'stale'
    end

    local status, decided, isSpent = 'settled', 0, false
    if isHolding then status, decided, isSpent = decide(id, mode, wanted, least, order, shares) end
    for i = 1, n do
      -- Who is stopped still has to pay for the step it is in.
      if status ~= 'held' then held[i] = mode == 'top-up' and left[i] or 0 end
      counts[i].held = counts[i].held + held[i]
    end
    if mode == 'end' then
      if own then texts[id], changed[id] = false, true end
    elseif own or status == 'held' then
      keep(id, fence, names, n)
    end
    local place = 0
    if mode == 'hold' then
      place = stand(id, order, shares, status == 'refused' and not isSpent and shares[decided].budget)
    end
    note(mode, status, wanted, shares)
    if status == 'refused' or status == 'downgrade' then return answer(status, decided, place, shares) end
    return status
  end

  -- How many of those that wait for a budget may try now.
  local function may_try(budget)
    local counter = budget.counter
    local room = budget.limit - counter.spent - counter.held
    if counter.spent >= budget.limit then
      -- Nothing comes back: who waited for that has to hear it, and each who does tells two more.
      return not budget.waits and (budget.isAsked or budget.isLookedAt) and 2 or 0
    end
    if room <= 0 then return 0 end
    if not budget.each then return budget.isLookedAt and 1 or 0 end
    local count = budget.each > 0 and math.min(math.floor(room / budget.each), MOST_WOKEN) or MOST_WOKEN
    return budget.isLeft and math.max(1, count) or count
  end

  local function tell(woken)
    for _, budget in ipairs(budgets) do
      local count = budget.counter.hasLine and may_try(budget) or 0
      if count > 0 then
        local next = call('ZRANGE', budget.line, 0, count - 1, 'WITHSCORES')
        for i = 1, #next, 2 do
          if tonumber(next[i + 1]) < TOLD then call('ZINCRBY', budget.line, TOLD, next[i]) end
          woken[#woken + 1] = next[i]
        end
      end
    end
  end

  read_all()
  if not open() then return nil end
  return {
    -- Repeated it changes nothing: `spent` is all that the task ever spent in each share, or in all, and counts by its
    -- increase; a hold replaces the one before.
    -- mode is hold (who is refused waits), top-up, force (never refused), settle (holds nothing), end (nor is it
    -- remembered), read, or look (wakes one). A budget with less than is wanted gives what there is: at least `least`
    -- to a top-up, and to a task that has it alone.
    -- Gives held, settled, stale (another worker has the task); or {refused, downgrade or read, share that decided,
    -- place in line from 0, spent, held, start, reset, … of each share}.
    perform = perform,
    -- Writes what has changed, and adds those who may try now.
    finish = function(woken)
      tell(woken)
      local set, gone = {}, {}
      for id in pairs(changed) do
        if texts[id] then set[#set + 1], set[#set + 2] = id, texts[id] else gone[#gone + 1] = id end
      end
      if #set > 0 then call('HSET', HOLDS, unpack(set)) end
      if #gone > 0 then call('HDEL', HOLDS, unpack(gone)) end
      local list = {}
      for name, counter in pairs(counters) do
        local text = cmsgpack.pack(counter.window, counter.spent, counter.held, counter.hasLine)
        if text ~= counter.text then list[#list + 1], list[#list + 2] = name, text end
      end
      if #list > 0 then call('HSET', COUNTERS, unpack(list)) end
    end,
  }
end
