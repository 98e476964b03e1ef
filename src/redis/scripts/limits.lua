-- Who is let through limits, who waits in which line, and who gets what is let go of: it is put before the scripts of the
-- limits. What it knows of tasks and limits is in the book. Needs limit-book.lua.
local function open_limits(root, minute_ms, now, ids, sets)
  local call, book = redis.call, open_limit_book(root, minute_ms, now, ids, sets)
  local read, put, limit_of, limits_of = book.read, book.put, book.limit_of, book.limits_of
  local line_of, turns_of, lend, user_of = book.line_of, book.turns_of, book.lend, book.user_of
  local minutes, NOBODY = book.minutes, book.nobody
  local slice = minutes.slice
  -- A turn of a nested task is so much less.
  local NESTED, MOST_LOOKS = 2 ^ 40, 1000
  local granted, through = {}, {}

  local function count(limit, kind, at, number)
    if number == 0 or not limit[kind] then return end
    minutes.count(limit.minute, kind, at, number)
  end

  local function count_turn(limit, entry)
    count(limit, 'r', slice, entry.r)
    count(limit, 't', slice, entry.t)
  end

  -- A turn that is over cost other than was estimated. What was too much is taken back where it was counted.
  local function settle(id, entry, requests, tokens)
    local r, t = requests - entry.r, tokens - entry.t
    if r == 0 and t == 0 then return end
    local found = limits_of(entry.limits)
    for i = 1, #found do
      local limit = found[i]
      if r > 0 then count(limit, 'r', slice, r) elseif entry.at >= slice - 60 then count(limit, 'r', entry.at, r) end
      if t > 0 then count(limit, 't', slice, t) elseif entry.at >= slice - 60 then count(limit, 't', entry.at, t) end
    end
    entry.r, entry.t = requests, tokens
    put(id, entry)
  end

  -- What of a limit is used up for a task: concurrency, r or t; nil and who lends it a slot, if anybody must.
  local function lack(limit, entry, hasSlot)
    local lender
    if limit.concurrency and not hasSlot and limit.holding >= limit.concurrency then
      lender = entry.depth > 1 and book.lender_of(limit, entry.depth)
      if not lender then return 'concurrency' end
    end
    -- Who wants more than a minute has is let through when nobody else was.
    local minute = limit.minute
    if limit.r and minute.r > 0 and minute.r + entry.r > limit.r then return 'r' end
    if limit.t and minute.t > 0 and minute.t + entry.t > limit.t then return 't' end
    return nil, lender
  end

  -- The first limit that refuses the task, and what of it is used up; nil, nil and its lenders when none does.
  local function refusal(entry, hasSlot)
    local lenders
    local found = limits_of(entry.limits)
    for i = 1, #found do
      local limit = found[i]
      local what, lender = lack(limit, entry, hasSlot)
      if what then return limit.name, what end
      if lender then
        lenders = lenders or {}
        lenders[limit.name] = lender
      end
    end
    return nil, nil, lenders or NOBODY
  end

  local function unwait(id, entry)
    local limit = limit_of(entry.place)
    limit.waiting = limit.waiting - call('ZREM', line_of(limit.name), id)
    if limit.waiting == 0 then call('DEL', turns_of(limit.name)) end
    entry.place = nil
  end

  local function take(id, entry, lenders)
    if entry.place then unwait(id, entry) end
    entry.at, entry.lenders = slice, lenders
    local found = limits_of(entry.limits)
    for i = 1, #found do
      local limit = found[i]
      local lender = lenders[limit.name]
      if lender then lend(limit.name, lender, id) else limit.holding = limit.holding + 1 end
      count_turn(limit, entry)
    end
    put(id, entry)
  end

  -- Puts a task into the line of a limit: after the others of its key, and so that keys take turns.
  local function await(id, entry, name)
    if entry.place == name then return end
    if entry.place then unwait(id, entry) end
    local limit = limit_of(name)
    local turns = call('HMGET', turns_of(name), 'served', 'of:' .. entry.key)
    local turn = math.max(tonumber(turns[1] or 0), tonumber(turns[2] or 0)) + 1
    call('HSET', turns_of(name), 'of:' .. entry.key, turn)
    limit.waiting = limit.waiting + call('ZADD', line_of(name), entry.depth > 1 and turn - NESTED or turn, id)
    book.waiters = book.waiters + 1
    entry.place = name
    put(id, entry)
  end

  -- Gives what is free of a limit to those who wait for it, in their order.
  local function serve(name)
    local limit, waiting, passed = limit_of(name), line_of(name), 0
    for _ = 1, MOST_LOOKS do
      if limit.waiting == 0 then return end
      local head = call('ZRANGE', waiting, passed, passed, 'WITHSCORES')
      local id, turn = head[1], tonumber(head[2])
      if not id then return end
      if turn > 0 and limit.concurrency and limit.holding >= limit.concurrency then return end
      local entry = read(id)
      if not entry or not entry.place then
        limit.waiting = limit.waiting - call('ZREM', waiting, id)
      else
        local at, _, lenders = refusal(entry)
        if not at then
          call('HSET', turns_of(name), 'served', turn > 0 and turn or turn + NESTED)
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
  local function release(id, entry)
    if not entry.place then
      local found = limits_of(entry.limits)
      for i = 1, #found do
        local limit = found[i]
        local name = limit.name
        local lender, user = entry.lenders[name], user_of(name, id)
        local below = user and read(user)
        if user then lend(name, id, nil) end
        if not lender then limit.holding = math.max(0, limit.holding - 1)
        elseif not below then lend(name, lender, nil) end
        if below then
          -- Who used its slot meanwhile keeps it.
          local lenders = { [name] = lender }
          for other, id_of in pairs(below.lenders) do
            if other ~= name then lenders[other] = id_of end
          end
          below.lenders = lenders
          put(user, below)
          if lender then lend(name, lender, user) else limit.holding = limit.holding + 1 end
        end
      end
    else
      unwait(id, entry)
    end
    put(id, false)
  end

  local function serve_all(list)
    local found = limits_of(list)
    for i = 1, #found do
      if found[i].waiting > 0 then serve(found[i].name) end
    end
  end

  local function refused(id, entry)
    local limit = limit_of(entry.place)
    local what = lack(limit, entry) or (limit.concurrency and 'concurrency') or (limit.r and 'r') or 't'
    local place = call('ZRANK', line_of(limit.name), id) + 1
    if what == 'concurrency' then return { limit.name, what, limit.holding, limit.concurrency, place, -1 } end
    local opensInMs = minutes.opens_in_ms(limit.minute, what, limit[what], place, math.max(entry[what], 1))
    return { limit.name, what, limit.minute[what], limit[what], place, opensInMs }
  end

  local function enter(id, how, requests_before, tokens_before, requests, tokens, names, owner, depth)
    local entry, left = read(id), nil
    local isSame = entry and entry.limits.text == names.text
    if entry and not entry.place then
      if requests_before >= 0 then settle(id, entry, requests_before, tokens_before) end
      if isSame and how ~= 'next' then return 1 end
      if isSame then
        entry.r, entry.t = requests, tokens
        if not refusal(entry, true) then
          entry.at = slice
          for _, limit in ipairs(limits_of(names)) do count_turn(limit, entry) end
          put(id, entry)
          return 1
        end
      end
    end
    if entry and not (entry.place and isSame) then
      left = entry.limits
      release(id, entry)
      entry = nil
    end
    entry = entry or { limits = names, key = owner, depth = depth, lenders = NOBODY, at = 0, r = 0, t = 0, place = nil }
    entry.r, entry.t = requests, tokens

    local at
    if how == 'sent' then
      entry.r, entry.t = 0, 0
      take(id, entry, NOBODY)
    else
      local _, lenders
      at, _, lenders = refusal(entry)
      -- Nobody is overtaken but by a task that runs already.
      if not at and how == 'start' then
        for _, limit in ipairs(limits_of(names)) do
          if not at and limit.waiting > 0 then at = limit.name end
        end
      end
      if at then await(id, entry, at) else take(id, entry, lenders) end
    end
    if left then serve_all(left) end
    if not at then return 1 end
    serve_all(entry.limits)
    entry = read(id)
    return entry.place and refused(id, entry) or 1
  end

  -- What its last turn has cost; -1: as was estimated.
  local function leave(id, requests, tokens)
    local entry = read(id)
    if not entry then return end
    if not entry.place and requests >= 0 then settle(id, entry, requests, tokens) end
    release(id, entry)
    through[id] = nil
    serve_all(entry.limits)
  end

  return {
    serve = serve,
    -- how is leave; start; next, for a further turn of a task that runs; or sent, for a turn that was sent already and is
    -- let through. What it asks are requests and tokens, as `before` what its last turn has cost; -1 where nobody knows.
    -- Each may be repeated.
    -- Gives 1, else {limit, what, used, of how many, place in line from 1, in how many ms it may be let through or -1};
    -- what is concurrency, r or t.
    perform = function(id, how, requests_before, tokens_before, requests, tokens, set, owner, depth)
      if how == 'leave' then
        leave(id, requests_before, tokens_before)
        return 1
      end
      local answer = enter(id, how, requests_before, tokens_before, requests, tokens, sets[set], owner, depth)
      if answer == 1 then through[id] = true end
      return answer
    end,
    leave = leave,
    -- Writes what has changed, and gives the tasks that were let through by others than themselves.
    finish = function()
      book.write()
      local others = {}
      for _, id in ipairs(granted) do if not through[id] then others[#others + 1] = id end end
      return others
    end,
  }
end
