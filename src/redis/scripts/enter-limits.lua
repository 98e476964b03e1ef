-- Lets a task through all of its limits at once, or puts it into the line of the first that refuses. Atomic.
-- KEYS: see limits.lua
-- ARGV: minute in ms, task, key, depth, requests, tokens, how, requests and tokens of its turn before (or ''),
--       age in ms from which holders are shown (or ''), then its limits
-- how is start; next for a further turn of a task that runs; sent for a turn that was sent already and is let through.
-- Returns {1, tasks that were let through by this}; else {0, those tasks, limit, what, used, of how many, place in line
-- from 1, in how many ms it may be let through or -1, holders of that age}; what is concurrency, r or t.
local id, how, limits = ARGV[2], ARGV[7], { unpack(ARGV, 11) }
local entry, before = read(id), {}
local isSame = entry and table.concat(entry.limits, '\n') == table.concat(limits, '\n')

if entry and entry.granted then
  if ARGV[8] ~= '' then settle(entry, tonumber(ARGV[8]), tonumber(ARGV[9])) end
  if isSame and how ~= 'next' then return { 1, granted } end
  if isSame then
    entry.r, entry.t = tonumber(ARGV[5]), tonumber(ARGV[6])
    if not refusal(entry, true) then
      entry.at = slice
      for _, limit in ipairs(limits) do
        count(limit, 'r', slice, entry.r)
        count(limit, 't', slice, entry.t)
      end
      keep(id, entry)
      return { 1, granted }
    end
  end
end
if entry and (entry.granted or not isSame) then
  before = entry.limits
  release(id, entry)
  entry = nil
end
entry = entry or { limits = limits, key = ARGV[3], depth = tonumber(ARGV[4]), lenders = {} }
entry.r, entry.t = tonumber(ARGV[5]), tonumber(ARGV[6])

if how == 'sent' then
  entry.r, entry.t = 0, 0
  if entry.place then unwait(id, entry.place) end
  take(id, entry, {})
else
  local at, _, lenders = refusal(entry)
  -- Nobody is overtaken but by a task that runs already.
  if not at and how == 'start' then
    for _, limit in ipairs(limits) do
      if not at and call('EXISTS', key(limit, 'waiting')) == 1 then at = limit end
    end
  end
  if not at then take(id, entry, lenders) elseif not entry.place then await(id, entry, at) end
end
for _, limit in ipairs(before) do serve(limit) end
if entry.place then
  for _, limit in ipairs(limits) do serve(limit) end
  entry = read(id)
end
local others = {}
for _, other in ipairs(granted) do if other ~= id then others[#others + 1] = other end end
if entry.granted then return { 1, others } end

local limit = entry.place
local cap, sums, slices = capsOf(limit), lastMinute(limit)
local what = lack(limit, entry) or (cap.concurrency and 'concurrency') or (cap.r and 'r') or 't'
local place, holders, opensInMs = call('ZRANK', key(limit, 'waiting'), id) + 1, {}, -1
if what == 'concurrency' then
  sums.concurrency = call('ZCARD', key(limit, 'holding'))
  if ARGV[10] ~= '' then
    holders = call('ZRANGEBYSCORE', key(limit, 'holding'), '-inf', now - ARGV[10], 'LIMIT', 0, 100)
  end
else
  -- In each minute as many get through as fit, those before it first.
  local each = math.max(entry[what], 1)
  local wanted, full = place * each, math.max(cap[what], each)
  local minutes = math.floor((wanted - 1) / full)
  local free, opensAt = full - sums[what], slice
  wanted = wanted - minutes * full
  table.sort(slices[what], function(a, b) return a.at < b.at end)
  for _, used in ipairs(slices[what]) do
    if free >= wanted then break end
    free, opensAt = free + used.count, used.at + 61
  end
  opensInMs = math.max(0, math.ceil((opensAt + 60 * minutes) * SLICE_MS - now))
end
return { 0, others, limit, what, sums[what], cap[what], place, opensInMs, holders }
