-- Lets tasks through all of their limits at once, or puts them into the line of the first that refuses; and takes back
-- what others hold or wait for, and gives it to those who wait. One asks after the other, all of it atomic.
-- KEYS: see limits.lua
-- ARGV: minute in ms, JSON [ask, …]
-- ask is [task, before, limits, key, depth, r, t, how], or [task, before] of one that leaves. r and t: requests and
-- tokens; before: [r, t] of its last turn, or 0; how: start; next, for a further turn of a task that runs; sent, for
-- a turn that was sent already and is let through. Each may be repeated.
-- Returns {tasks that were let through by others, an answer to each}: 1, else {limit, what, used, of how many, place in
-- line from 1, in how many ms it may be let through or -1}; what is concurrency, r or t.
local function refused(id, entry)
  local limit = limitOf(entry.place)
  local what = lack(limit, entry) or (limit.concurrency and 'concurrency') or (limit.r and 'r') or 't'
  local place = call('ZRANK', key(limit.name, 'waiting'), id) + 1
  if what == 'concurrency' then return { limit.name, what, limit.holding, limit.concurrency, place, -1 } end
  -- In each minute as many get through as fit, those before it first.
  local each, used = math.max(entry[what], 1), limit.minute.sum[what]
  local wanted, full = place * each, math.max(limit[what], each)
  local minutes = math.floor((wanted - 1) / full)
  local free, opensAt, slices = full - used, slice, {}
  wanted = wanted - minutes * full
  for at in pairs(limit.minute[what]) do slices[#slices + 1] = at end
  table.sort(slices)
  for _, at in ipairs(slices) do
    if free >= wanted then break end
    free, opensAt = free + limit.minute[what][at], at + 61
  end
  local opensInMs = math.max(0, math.ceil((opensAt + 60 * minutes) * SLICE_MS - now))
  return { limit.name, what, used, limit[what], place, opensInMs }
end

local function enter(ask)
  local id, before, names, owner, depth, requests, tokens, how = unpack(ask)
  local entry, holds = read(id)
  local isSame = entry and table.concat(entry.limits, '\n') == table.concat(names, '\n')
  local left = {}
  if holds then
    if before ~= 0 then settle(entry, before[1], before[2]) end
    if isSame and how ~= 'next' then return 1 end
    if isSame then
      entry.r, entry.t = requests, tokens
      if not refusal(entry, true) then
        entry.at = slice
        for _, name in ipairs(entry.limits) do
          count(limitOf(name), 'r', slice, entry.r)
          count(limitOf(name), 't', slice, entry.t)
        end
        call('HSET', HOLDERS, id, pack(entry))
        return 1
      end
    end
  end
  if entry and (holds or not isSame) then
    left = entry.limits
    release(id, entry, holds)
    entry = nil
  end
  entry = entry or { limits = names, key = owner, depth = depth, lenders = {} }
  entry.r, entry.t = requests, tokens

  local isThrough = true
  if how == 'sent' then
    entry.r, entry.t = 0, 0
    take(id, entry, {})
  else
    local at, _, lenders = refusal(entry)
    -- Nobody is overtaken but by a task that runs already.
    if not at and how == 'start' then
      for _, name in ipairs(entry.limits) do
        if not at and limitOf(name).waiting > 0 then at = name end
      end
    end
    isThrough = not at
    if at then await(id, entry, at) else take(id, entry, lenders) end
  end
  for _, name in ipairs(left) do serve(name) end
  if isThrough then return 1 end
  for _, name in ipairs(entry.limits) do serve(name) end
  entry, holds = read(id)
  return holds and 1 or refused(id, entry)
end

local function leave(id, before)
  local entry, holds = read(id)
  if not entry then return 1 end
  if holds and before ~= 0 then settle(entry, before[1], before[2]) end
  release(id, entry, holds)
  for _, name in ipairs(entry.limits) do serve(name) end
  return 1
end

local answers, isThrough = {}, {}
for i, ask in ipairs(cjson.decode(ARGV[2])) do
  answers[i] = ask[3] and enter(ask) or leave(ask[1], ask[2])
  if ask[3] and answers[i] == 1 then isThrough[ask[1]] = true end
end
return { finish(isThrough), unpack(answers) }
