-- What surrounds BullMQ's script that gives a worker its next job, which is the function `deliver` here: the task of
-- that job is claimed in the same step. For all jobs of one queue that a worker asks for at once, one after the other.
-- KEYS: BullMQ's. The first is the list of waiting jobs, the second that of the active ones, the third the set of those
--       with a priority, the fourth the stream of events, the seventh the set of the delayed ones, the ninth what is set
--       for the queue, the last the marker
-- packed: root of the keys, queue, name of the claims, now, most deliveries, error if poisoned, whether the worker has
--       room for more, and for each job {number of the write that ends its task or 0, {place of a key that is another than
--       before, the key, …}, BullMQ's arguments}; one of these that is a number is the place of what is no text in `bytes`
-- written: what write.lua says to each write; a job whose task it refused stays where it is
-- Returns {JSON, the input of each task that is claimed, …}. A worker reads JSON in a third of the time that ioredis takes for
-- tables, but an input is long. It has for each {what BullMQ's gives, the claim without the input or nil}, {false} for one
-- that stays; where there is room for more also how many jobs could be taken now, and while no other waits when the next
-- delayed one is due.
-- Needs claim.lua.
local function deliver_tasks(KEYS, packed, bytes, written)
  local root, queue, name, now, most, poison, has_room, jobs = unpack(cmsgpack.unpack(packed))
  local call, events, said = redis.call, KEYS[4], {''}

  -- The Redis of BullMQ's script: nobody listens to its events, since each task has a log of its own.
  local quiet = {call = function(command, key, ...)
    if key ~= events then return call(command, key, ...) end
  end}

  local function take(keys, args)
    local reply = deliver(quiet, keys, args)
    if type(reply) ~= 'table' then return {reply} end
    if type(reply[1]) ~= 'table' then
      -- When the next delayed job is due, in whole milliseconds, as Redis would give it.
      reply[4] = math.floor(reply[4] or 0)
      return {reply}
    end
    local claimed = claim(root, reply[2], queue, name, now, most, poison)
    local record = claimed[6]
    if record then said[#said + 1], record.input = record.input, nil end
    if not has_room then return {reply, claimed} end
    local waiting = call('LLEN', KEYS[1])
    if waiting == 0 then waiting = call('ZCARD', KEYS[3]) end
    if waiting > 0 then
      local slots = call('HGET', KEYS[9], 'concurrency')
      if slots then waiting = math.max(0, math.min(waiting, tonumber(slots) - call('LLEN', KEYS[2]))) end
      return {reply, claimed, waiting}
    end
    -- It was set again for others, who would come for nothing.
    call('ZREM', KEYS[#KEYS], '0')
    local delayed = call('ZRANGE', KEYS[7], 0, 0, 'WITHSCORES')
    return {reply, claimed, 0, delayed[2] and math.floor(tonumber(delayed[2]) / 4096) or 0}
  end

  local keys, replies = {unpack(KEYS)}, {}
  for i, job in ipairs(jobs) do
    local mine, others, args = written[job[1]], job[2], job[3]
    for other = 1, #others, 2 do keys[others[other]] = others[other + 1] end
    for place, arg in ipairs(args) do
      if type(arg) == 'number' then args[place] = bytes[arg] end
    end
    replies[i] = mine and mine[1] < 0 and {false} or take(keys, args)
  end
  said[1] = cjson.encode(replies)
  return said
end
