-- What surrounds BullMQ's script that gives a worker its next job, which is the function `deliver` here: the task of
-- that job is claimed in the same step. Its keys and arguments come first and are BullMQ's; then come ours.
-- KEYS: the first is the list of waiting jobs, the second that of the active ones, the third the set of those with a
--       priority, the seventh that of the delayed ones, the ninth what is set for the queue, the last the marker
-- ARGV: the last six are: root of the keys, queue, name of the claim, now, most deliveries, error if poisoned
-- Returns {what BullMQ's gives, the claim or nil, jobs that could be taken now, when the next delayed one is due; nil
-- while others wait}
local reply, last = deliver(), #ARGV
if type(reply) ~= 'table' or type(reply[1]) ~= 'table' then return {reply} end
local claimed = claim(ARGV[last - 5], reply[2], ARGV[last - 4], ARGV[last - 3], ARGV[last - 2], ARGV[last - 1], ARGV[last])
local waiting = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3])
if waiting > 0 then
  local most = redis.call('HGET', KEYS[9], 'concurrency')
  if most then waiting = math.max(0, math.min(waiting, tonumber(most) - redis.call('LLEN', KEYS[2]))) end
  return {reply, claimed, waiting}
end
-- It was set again for others, who would come for nothing.
redis.call('ZREM', KEYS[#KEYS], '0')
local delayed = redis.call('ZRANGE', KEYS[7], 0, 0, 'WITHSCORES')
return {reply, claimed, 0, delayed[2] and math.floor(tonumber(delayed[2]) / 4096) or 0}
