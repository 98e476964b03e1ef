-- What tasks hold of limits or wait for, and how much of each limit is held: the scripts of the limits read here once what
-- they need, and write it once. Needs minutes.lua.
-- All keys are below ROOT:limit: …
--   holders          hash: task that was let through → what it holds, packed
--   waiters          hash: task that waits → what for, packed
--   caps             hash: limit → 'concurrency requests tokens', '-' where there is none; key:* is of any other key
--   slots            hash: limit → how many slots of it are held; '' → how many of all are lent
--   lent             hash: limit and task with a slot that waits for others → the task that uses the slot meanwhile
--   LIMIT:waiting    sorted set: task → its turn; those below a parent come first
--   LIMIT:turns      hash: the turn that was served last, and the last one given to each key; while anybody waits
--   LIMIT:minute     hash: what went out in the last minute; see minutes.lua
-- `ids`, `sets`: the tasks that a script is about, and lists of the limits that they may have.
-- What a task has is an entry {depth, key, requests r and tokens t of its turn, slice `at` in which they were counted, place:
-- the limit in whose line it waits (nil: it holds its limits), lenders: by limit who lends it a slot, limits: a list}.
local function open_limit_book(root, minute_ms, now, ids, sets)
  local call, PREFIX = redis.call, root .. ':limit:'
  local HOLDERS, WAITERS, CAPS = PREFIX .. 'holders', PREFIX .. 'waiters', PREFIX .. 'caps'
  local SLOTS, LENT, PIECE = PREFIX .. 'slots', PREFIX .. 'lent', 1000
  local NOBODY = {}
  local minutes = open_minutes(PREFIX, minute_ms, now)
  -- waiters: how many wait, or more.
  local book = { minutes = minutes, nobody = NOBODY, waiters = call('HLEN', WAITERS) }
  local limits, lists, caps, slots, lendings, lendings_before = {}, {}, {}, {}, 0, 0
  -- By task: what it has, or false; where Redis has it; what is to be written.
  local entries, stored, changed = {}, {}, {}
  -- By limit and task: who uses its slot. nil: not read yet.
  local lent

  -- Many are the same, and to pack one takes long.
  local function pack(entry)
    local list, place, lenders = entry.limits, entry.place, entry.lenders
    if place or next(lenders) then
      return cmsgpack.pack(entry.depth, entry.key, entry.r, entry.t, entry.at, place or false,
        next(lenders) and lenders or false, list.text)
    end
    local last = list.last
    if not last or last.r ~= entry.r or last.t ~= entry.t or last.at ~= entry.at or last.key ~= entry.key
      or last.depth ~= entry.depth then
      list.last, list.packed = entry, cmsgpack.pack(entry.depth, entry.key, entry.r, entry.t, entry.at, false, false, list.text)
    end
    return list.packed
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
      limits = lists[names] or list_of(names) }
  end

  -- What a task holds or waits for; false: nothing.
  function book.read(id)
    if entries[id] == nil then
      local held = call('HGET', HOLDERS, id)
      remember(id, held, not held and book.waiters > 0 and call('HGET', WAITERS, id))
    end
    return entries[id]
  end

  function book.put(id, entry) entries[id], changed[id] = entry, true end

  function book.line_of(name) return PREFIX .. name .. ':waiting' end

  function book.turns_of(name) return PREFIX .. name .. ':turns' end

  local function limit_of(name)
    local limit = limits[name]
    if limit then return limit end
    local found, holding = caps[name], slots[name]
    if found == nil then found, holding = call('HGET', CAPS, name), call('HGET', SLOTS, name) end
    if not found and string.sub(name, 1, 4) == 'key:' then found = call('HGET', CAPS, 'key:*') end
    local concurrency, requests, tokens = string.match(found or '- - -', '(%S+) (%S+) (%S+)')
    holding = tonumber(holding or 0)
    limit = { name = name, concurrency = tonumber(concurrency), r = tonumber(requests), t = tonumber(tokens),
      holding = holding, held = holding, waiting = book.waiters > 0 and call('ZCARD', book.line_of(name)) or 0 }
    limit.minute = (limit.r or limit.t) and minutes.read(name)
    limits[name] = limit
    return limit
  end

  -- The limits of a list, looked up once.
  local function limits_of(list)
    local found = list.found
    if not found then
      found = {}
      for i = 1, #list do found[i] = limit_of(list[i]) end
      list.found = found
    end
    return found
  end

  local function read_lent()
    if lent then return end
    lent = {}
    local found = call('HGETALL', LENT)
    for i = 1, #found, 2 do lent[found[i]] = found[i + 1] end
  end

  -- Who uses the slot that a task has of a limit; nil: it does.
  local function user_of(limit, lender)
    if lendings == 0 then return nil end
    read_lent()
    return lent[limit .. '\n' .. lender]
  end

  -- nil: it uses the slot itself again.
  function book.lend(limit, lender, user)
    read_lent()
    local field = limit .. '\n' .. lender
    if (lent[field] ~= nil) ~= (user ~= nil) then lendings = lendings + (user and 1 or -1) end
    lent[field] = user
    if user then call('HSET', LENT, field, user) else call('HDEL', LENT, field) end
  end

  -- A task that has a slot and only waits for tasks below it, as long as none uses the slot meanwhile. It may be of
  -- another tree: two parents that hold what the children of the other want would wait for ever.
  local isEachRead = false
  function book.lender_of(limit, depth)
    if not isEachRead then
      local held = call('HGETALL', HOLDERS)
      for i = 1, #held, 2 do
        if entries[held[i]] == nil then remember(held[i], held[i + 1]) end
      end
      isEachRead = true
    end
    for id, entry in pairs(entries) do
      if entry and not entry.place and entry.depth < depth and not user_of(limit.name, id) then
        for _, name in ipairs(entry.limits) do
          if name == limit.name and #call('ZINTER', 2, root .. ':children:' .. id, root .. ':live') > 0 then return id end
        end
      end
    end
  end

  local function send(command, at, list)
    for i = 1, #list, PIECE do call(command, at, unpack(list, i, math.min(i + PIECE - 1, #list))) end
  end

  local function write_entries()
    local set, gone = { [HOLDERS] = {}, [WAITERS] = {} }, { [HOLDERS] = {}, [WAITERS] = {} }
    for id in pairs(changed) do
      local entry, was = entries[id], stored[id]
      local at = entry and (entry.place and WAITERS or HOLDERS)
      if at then
        local list = set[at]
        local n = #list
        list[n + 1], list[n + 2] = id, pack(entry)
      end
      if was and was ~= at then gone[was][#gone[was] + 1] = id end
    end
    for at, list in pairs(gone) do send('HDEL', at, list) end
    for at, list in pairs(set) do send('HSET', at, list) end
  end

  -- Nothing where nothing has changed.
  function book.write()
    write_entries()
    local taken, free = {}, {}
    if lendings ~= lendings_before then
      if lendings == 0 then free[1] = '' else taken[1], taken[2] = '', lendings end
    end
    for name, limit in pairs(limits) do
      if limit.holding ~= limit.held then
        if limit.holding == 0 then free[#free + 1] = name
        else taken[#taken + 1], taken[#taken + 2] = name, limit.holding end
      end
      if limit.minute then minutes.write(limit.minute) end
    end
    send('HSET', SLOTS, taken)
    send('HDEL', SLOTS, free)
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
    local waiting = book.waiters > 0 and call('HMGET', WAITERS, unpack(ids))
    for i, id in ipairs(ids) do remember(id, held[i], waiting and waiting[i]) end
  end

  book.limit_of, book.limits_of, book.user_of = limit_of, limits_of, user_of
  return book
end
