-- What has gone out through limits of a minute: requests and tokens, in slices of a sixtieth of it.
-- Hash PREFIX LIMIT:minute: r<slice> and t<slice> → requests and tokens; r, t: their sums as of the slice `at`.
-- What a script needs of a limit it reads once, and writes once.
local function open_minutes(prefix, minute_ms, now)
  local call, SLICE_MS = redis.call, minute_ms / 60
  local slice = math.floor(now / SLICE_MS)

  local function key(name) return prefix .. name .. ':minute' end

  -- Requests and tokens of the last sixty slices and the present one: their sums, and what the present one has.
  local function read(name)
    local found = call('HMGET', key(name), 'at', 'r', 't', 'r' .. slice, 't' .. slice)
    local minute = { name = name, r = tonumber(found[2] or 0), t = tonumber(found[3] or 0), back = {}, isChanged = false,
      isNew = tonumber(found[1] or -1) ~= slice, had = { r = found[4], t = found[5] },
      present = { r = tonumber(found[4] or 0), t = tonumber(found[5] or 0) } }
    if not minute.isNew then return minute end
    minute.r, minute.t = 0, 0
    local old, counts = {}, call('HGETALL', key(name))
    for i = 1, #counts, 2 do
      local kind, at = string.match(counts[i], '^([rt])(%d+)$')
      if kind and tonumber(at) < slice - 60 then old[#old + 1] = counts[i]
      elseif kind then minute[kind] = minute[kind] + tonumber(counts[i + 1]) end
    end
    if #old > 0 then call('HDEL', key(name), unpack(old)) end
    return minute
  end

  -- More, or less, of a kind (r or t) in a slice.
  local function count(minute, kind, at, number)
    minute[kind], minute.isChanged = minute[kind] + number, true
    if at == slice then minute.present[kind] = minute.present[kind] + number
    else minute.back[kind .. at] = (minute.back[kind .. at] or 0) + number end
  end

  -- What is counted in each slice.
  local function slices_of(minute, kind)
    local counts, found = {}, call('HGETALL', key(minute.name))
    for i = 1, #found, 2 do
      local of, at = string.match(found[i], '^([rt])(%d+)$')
      if of == kind then counts[tonumber(at)] = tonumber(found[i + 1]) end
    end
    for field, number in pairs(minute.back) do
      local at = tonumber(string.sub(field, 2))
      if string.sub(field, 1, 1) == kind then counts[at] = (counts[at] or 0) + number end
    end
    counts[slice] = minute.present[kind]
    return counts
  end

  -- In how many ms the one at a place in line may be let through, when each before it wants as much: in each minute as many
  -- get through as fit, those before it first.
  local function opens_in_ms(minute, kind, most, place, each)
    local wanted, full = place * each, math.max(most, each)
    local minutes = math.floor((wanted - 1) / full)
    local free, opensAt, at_times, counts = full - minute[kind], slice, {}, slices_of(minute, kind)
    wanted = wanted - minutes * full
    for at in pairs(counts) do at_times[#at_times + 1] = at end
    table.sort(at_times)
    for _, at in ipairs(at_times) do
      if free >= wanted then break end
      free, opensAt = free + counts[at], at + 61
    end
    return math.max(0, math.ceil((opensAt + 60 * minutes) * SLICE_MS - now))
  end

  -- Nothing when nothing has changed.
  local function write(minute)
    if not minute.isChanged then return end
    local at_key, list = key(minute.name), { 'at', slice, 'r', minute.r, 't', minute.t }
    for kind, number in pairs(minute.present) do
      -- What was all taken back is written too: the sums are made of it again.
      if number ~= 0 or minute.had[kind] then list[#list + 1], list[#list + 2] = kind .. slice, number end
    end
    call('HSET', at_key, unpack(list))
    for field, number in pairs(minute.back) do call('HINCRBY', at_key, field, number) end
    if minute.isNew then call('PEXPIRE', at_key, math.ceil(120 * SLICE_MS)) end
  end

  return { slice = slice, read = read, count = count, opens_in_ms = opens_in_ms, write = write }
end

