-- What the scripts of the limits share; it is put before each of them. Needs minutes.lua.
-- All keys are below ROOT:limit: …
--   holders          hash: task that was let through → what it holds, packed
--   waiters          hash: task that waits → what for, packed
--   caps             hash: limit → 'concurrency requests tokens', '-' where there is none; key:* is of any other key
--   slots            hash: limit → how many slots of it are held; '' → how many of all are lent
--   lent             hash: limit and task with a slot that waits for others → the task that uses the slot meanwhile
--   LIMIT:waiting    sorted set: task → its turn; those below a parent come first
--   LIMIT:turns      hash: the turn that was served last, and the last one given to each key; while anybody waits
--   LIMIT:minute     hash: what went out in the last minute; see minutes.lua
-- What a script needs of tasks and limits it reads once, and writes once: `finish` does.
-- `ids`, `sets`: the tasks that it is about, and lists of the limits that they may have.
local function open_limits(root, minute_ms, now, ids, sets)
  local call, PREFIX = redis.call, root .. ':limit:'
  local HOLDERS, WAITERS, CAPS = PREFIX .. 'holders', PREFIX .. 'waiters', PREFIX .. 'caps'
  local SLOTS, LENT = PREFIX .. 'slots', PREFIX .. 'lent'
  -- A turn of a nested task is so much less.
  local NESTED, MOST_LOOKS, PIECE = 2 ^ 40, 1000, 1000
  local minutes = open_minutes(PREFIX, minute_ms, now)
  local slice = minutes.slice
  local waiters, lendings, lendings_before = call('HLEN', WAITERS), 0, 0
  local limits, granted, through, lists, caps, slots = {}, {}, {}, {}, {}, {}
  -- By task: what it has, or false; where Redis has it; what is to be written.
  local entries, stored, changed = {}, {}, {}
  -- By limit and task: who uses its slot. nil: not read yet.
  local lent
  local NOBODY = {}

  local function key(limit, part) return PREFIX .. limit .. ':' .. part end

  local function pack(entry)
    return cmsgpack.pack(entry.depth, entry.key, entry.r, entry.t, entry.at or 0, entry.place or false,
      next(entry.lenders) and entry.lenders or false, entry.limits.text)
  end

  -- A list of limits from its text, which is split once.
  local function list_of(text)
    local list = lists[text]
    if not list then
      list = { text = text }
      for name in string.gmatch(text, '[^\n]+') do list[#list + 1] = name end
      lists[text] = list
    end
    return list
  end

  local function remember(id, held, waiting)
    local text = held or waiting
    if not text then
      entries[id] = false
      return
    end
    local depth, owner, r, t, at, place, lenders, names = cmsgpack.unpack(text)
    stored[id] = held and HOLDERS or WAITERS
    entries[id] = { depth = depth, key = owner, r = r, t = t, at = at, place = place or nil, lenders = lenders or NOBODY,
      limits = list_of(names), holds = held and true or false }
  end

  -- What a task holds or waits for; false: nothing.
  local function read(id)
    if entries[id] == nil then
      local held = call('HGET', HOLDERS, id)
      remember(id, held, not held and waiters > 0 and call('HGET', WAITERS, id))
    end
    return entries[id]
  end

  local function put(id, entry) entries[id], changed[id] = entry, true end

  local function limit_of(name)
    local limit = limits[name]
    if limit then return limit end
    local found, holding = caps[name], slots[name]
    if found == nil then found, holding = call('HGET', CAPS, name), call('HGET', SLOTS, name) end
    if not found and string.sub(name, 1, 4) == 'key:' then found = call('HGET', CAPS, 'key:*') end
    local concurrency, requests, tokens = string.match(found or '- - -', '(%S+) (%S+) (%S+)')
    holding = tonumber(holding or 0)
    limit = { name = name, concurrency = tonumber(concurrency), r = tonumber(requests), t = tonumber(tokens),
      holding = holding, held = holding, waiting = waiters > 0 and call('ZCARD', key(name, 'waiting')) or 0 }
    limit.minute = (limit.r or limit.t) and minutes.read(name)
    limits[name] = limit
    return limit
  end

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
    for _, name in ipairs(entry.limits) do
      local limit = limit_of(name)
      if r > 0 then count(limit, 'r', slice, r) elseif entry.at >= slice - 60 then count(limit, 'r', entry.at, r) end
      if t > 0 then count(limit, 't', slice, t) elseif entry.at >= slice - 60 then count(limit, 't', entry.at, t) end
    end
    entry.r, entry.t = requests, tokens
    put(id, entry)
  end

  local function read_lent()
    if lent then return end
    lent = {}
    local found = call('HGETALL', LENT)
    for i = 1, #found, 2 do lent[found[i]] = found[i + 1] end
  end

  -- nil: it uses the slot itself again.
  local function lend(limit, lender, user)
    read_lent()
    local field = limit .. '\n' .. lender
    if (lent[field] ~= nil) ~= (user ~= nil) then lendings = lendings + (user and 1 or -1) end
    lent[field] = user
    if user then call('HSET', LENT, field, user) else call('HDEL', LENT, field) end
  end

  -- A task that has a slot and only waits for tasks below it, as long as none uses the slot meanwhile. It may be of
  -- another tree: two parents that hold what the children of the other want would wait for ever.
  local isEachRead = false
  local function lender_of(limit, depth)
    read_lent()
    if not isEachRead then
      local held = call('HGETALL', HOLDERS)
      for i = 1, #held, 2 do
        if entries[held[i]] == nil then remember(held[i], held[i + 1]) end
      end
      isEachRead = true
    end
    for id, entry in pairs(entries) do
      if entry and entry.holds and entry.depth < depth and not lent[limit.name .. '\n' .. id] then
        for _, name in ipairs(entry.limits) do
          if name == limit.name and #call('ZINTER', 2, root .. ':children:' .. id, root .. ':live') > 0 then return id end
        end
      end
    end
  end

  -- What of a limit is used up for a task: concurrency, r or t; nil and who lends it a slot, if anybody must.
  local function lack(limit, entry, hasSlot)
    local lender
    if limit.concurrency and not hasSlot and limit.holding >= limit.concurrency then
      lender = entry.depth > 1 and lender_of(limit, entry.depth)
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
    for _, name in ipairs(entry.limits) do
      local what, lender = lack(limit_of(name), entry, hasSlot)
      if what then return name, what end
      if lender then
        lenders = lenders or {}
        lenders[name] = lender
      end
    end
    return nil, nil, lenders or NOBODY
  end

  local function unwait(id, entry)
    local limit = limit_of(entry.place)
    limit.waiting = limit.waiting - call('ZREM', key(limit.name, 'waiting'), id)
    if limit.waiting == 0 then call('DEL', key(limit.name, 'turns')) end
    entry.place = nil
  end

  local function take(id, entry, lenders)
    if entry.place then unwait(id, entry) end
    entry.at, entry.lenders, entry.holds = slice, lenders, true
    for _, name in ipairs(entry.limits) do
      local limit = limit_of(name)
      if lenders[name] then lend(name, lenders[name], id) else limit.holding = limit.holding + 1 end
      count_turn(limit, entry)
    end
    put(id, entry)
  end

  -- Puts a task into the line of a limit: after the others of its key, and so that keys take turns.
  local function await(id, entry, name)
    if entry.place == name then return end
    if entry.place then unwait(id, entry) end
    local limit = limit_of(name)
    local turns = call('HMGET', key(name, 'turns'), 'served', 'of:' .. entry.key)
    local turn = math.max(tonumber(turns[1] or 0), tonumber(turns[2] or 0)) + 1
    call('HSET', key(name, 'turns'), 'of:' .. entry.key, turn)
    limit.waiting = limit.waiting + call('ZADD', key(name, 'waiting'), entry.depth > 1 and turn - NESTED or turn, id)
    waiters = waiters + 1
    entry.place, entry.holds = name, false
    put(id, entry)
  end

  -- Gives what is free of a limit to those who wait for it, in their order.
  local function serve(name)
    local limit, waiting, passed = limit_of(name), key(name, 'waiting'), 0
    for _ = 1, MOST_LOOKS do
      if limit.waiting == 0 then return end
      local head = call('ZRANGE', waiting, passed, passed, 'WITHSCORES')
      local id, turn = head[1], tonumber(head[2])
      if not id then return end
      if turn > 0 and limit.concurrency and limit.holding >= limit.concurrency then return end
      local entry = read(id)
      if not entry or entry.holds then
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
  local function release(id, entry)
    if entry.holds then
      for _, name in ipairs(entry.limits) do
        local limit, lender = limit_of(name), entry.lenders[name]
        if lendings > 0 then read_lent() end
        local user = lent and lent[name .. '\n' .. id]
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

  local function serve_all(names)
    for _, name in ipairs(names) do
      if limit_of(name).waiting > 0 then serve(name) end
    end
  end

  local function refused(id, entry)
    local limit = limit_of(entry.place)
    local what = lack(limit, entry) or (limit.concurrency and 'concurrency') or (limit.r and 'r') or 't'
    local place = call('ZRANK', key(limit.name, 'waiting'), id) + 1
    if what == 'concurrency' then return { limit.name, what, limit.holding, limit.concurrency, place, -1 } end
    local opensInMs = minutes.opens_in_ms(limit.minute, what, limit[what], place, math.max(entry[what], 1))
    return { limit.name, what, limit.minute[what], limit[what], place, opensInMs }
  end

  local function enter(id, how, requests_before, tokens_before, requests, tokens, names, owner, depth)
    local entry, left = read(id), nil
    local isSame = entry and entry.limits.text == names.text
    if entry and entry.holds then
      if requests_before >= 0 then settle(id, entry, requests_before, tokens_before) end
      if isSame and how ~= 'next' then return 1 end
      if isSame then
        entry.r, entry.t = requests, tokens
        if not refusal(entry, true) then
          entry.at = slice
          for _, name in ipairs(entry.limits) do count_turn(limit_of(name), entry) end
          put(id, entry)
          return 1
        end
      end
    end
    if entry and (entry.holds or not isSame) then
      left = entry.limits
      release(id, entry)
      entry = nil
    end
    entry = entry or { limits = names, key = owner, depth = depth, lenders = NOBODY, at = 0, holds = false }
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
        for _, name in ipairs(entry.limits) do
          if not at and limit_of(name).waiting > 0 then at = name end
        end
      end
      if at then await(id, entry, at) else take(id, entry, lenders) end
    end
    if left then serve_all(left) end
    if not at then return 1 end
    serve_all(entry.limits)
    entry = read(id)
    return entry.holds and 1 or refused(id, entry)
  end

  -- What its last turn has cost; -1: as was estimated.
  local function leave(id, requests, tokens)
    local entry = read(id)
    if not entry then return end
    if entry.holds and requests >= 0 then settle(id, entry, requests, tokens) end
    release(id, entry)
    through[id] = nil
    serve_all(entry.limits)
  end

  local function send(command, at, list)
    for i = 1, #list, PIECE do call(command, at, unpack(list, i, math.min(i + PIECE - 1, #list))) end
  end

  local function write_entries()
    local set, gone = { [HOLDERS] = {}, [WAITERS] = {} }, { [HOLDERS] = {}, [WAITERS] = {} }
    for id in pairs(changed) do
      local entry, was = entries[id], stored[id]
      local at = entry and (entry.holds and HOLDERS or WAITERS)
      if at then
        local list = set[at]
        list[#list + 1], list[#list + 2] = id, pack(entry)
      end
      if was and was ~= at then gone[was][#gone[was] + 1] = id end
    end
    for at, list in pairs(gone) do send('HDEL', at, list) end
    for at, list in pairs(set) do send('HSET', at, list) end
  end

  local names, isNamed = {}, {}
  for _, set in ipairs(sets) do
    set.text = table.concat(set, '\n')
    lists[set.text] = set
    for _, name in ipairs(set) do
      if not isNamed[name] then names[#names + 1], isNamed[name] = name, true end
    end
  end
  local found = #names > 0 and call('HMGET', CAPS, unpack(names))
  local held = call('HMGET', SLOTS, '', unpack(names))
  lendings = tonumber(held[1] or 0)
  lendings_before = lendings
  if lendings == 0 then lent = {} end
  for i, name in ipairs(names) do caps[name], slots[name] = found[i], held[i + 1] end
  if #ids > 0 then
    local held = call('HMGET', HOLDERS, unpack(ids))
    local waiting = waiters > 0 and call('HMGET', WAITERS, unpack(ids))
    for i, id in ipairs(ids) do remember(id, held[i], waiting and waiting[i]) end
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
      write_entries()
      local taken, free = {}, {}
      if lendings ~= lendings_before then taken[1], taken[2] = '', lendings end
      if lendings == 0 and lendings_before ~= 0 then taken, free[1] = {}, '' end
      for name, limit in pairs(limits) do
        if limit.holding ~= limit.held then
          if limit.holding == 0 then free[#free + 1] = name
          else taken[#taken + 1], taken[#taken + 2] = name, limit.holding end
        end
        if limit.minute then minutes.write(limit.minute) end
      end
      send('HSET', SLOTS, taken)
      send('HDEL', SLOTS, free)
      local others = {}
      for _, id in ipairs(granted) do if not through[id] then others[#others + 1] = id end end
      return others
    end,
  }
end
