-- What surrounds BullMQ's script that gives a worker its next job, which is the function `deliver` here: the task of
-- that job is claimed in the same step. Its keys and arguments come first and are BullMQ's; then come ours.
-- KEYS: the first is the list of waiting jobs, the second that of the active ones, the third the set of those with a
--       priority, the fourth the stream of events, the seventh the set of the delayed ones, the ninth what is set for
--       the queue, the last the marker
-- ARGV: the last seven are: root of the keys, queue, name of the claim, now, most deliveries, error if poisoned,
--       1 where the worker has room for more
-- Returns {what BullMQ's gives, the claim or nil}; where there is room for more also how many jobs could be taken now,
-- and while no other waits when the next delayed one is due.
local call, events = redis.call, KEYS[4]

-- The Redis of BullMQ's script: nobody listens to its events, since each task has a log of its own.
local quiet = {call = function(command, key, ...)
  if key ~= events then return call(command, key, ...) end
end}

local reply, last = deliver(quiet), #ARGV
if type(reply) ~= 'table' or type(reply[1]) ~= 'table' then return {reply} end
local claimed = claim(ARGV[last - 6], reply[2], ARGV[last - 5], ARGV[last - 4], ARGV[last - 3], ARGV[last - 2],
  ARGV[last - 1])
if ARGV[last] == '0' then return {reply, claimed} end
local waiting = call('LLEN', KEYS[1])
if waiting == 0 then waiting = call('ZCARD', KEYS[3]) end
if waiting > 0 then
  local most = call('HGET', KEYS[9], 'concurrency')
  if most then waiting = math.max(0, math.min(waiting, tonumber(most) - call('LLEN', KEYS[2]))) end
  return {reply, claimed, waiting}
end
-- It was set again for others, who would come for nothing.
call('ZREM', KEYS[#KEYS], '0')
local delayed = call('ZRANGE', KEYS[7], 0, 0, 'WITHSCORES')
return {reply, claimed, 0, delayed[2] and math.floor(tonumber(delayed[2]) / 4096) or 0}
