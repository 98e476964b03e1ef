-- Keeps tasks away from a model that fails. Atomic.
-- KEYS: cooldowns
-- ARGV: model, now, first cooldown in ms, longest in ms, what its provider asked to wait in ms, age of a strike
--       in ms, channel
-- The entry of a model is 'until strikes probe-until probe': who may try it, once until has passed.
-- Returns when it is over.
local old, now = redis.call('HGET', KEYS[1], ARGV[1]), tonumber(ARGV[2])
local untilAt, strikes = 0, 0
if old then
  local before, count = string.match(old, '^(%d+) (%d+)')
  untilAt, strikes = tonumber(before), tonumber(count)
  if now - untilAt > tonumber(ARGV[6]) then strikes = 0 end
end
local wait = tonumber(ARGV[5])
-- A failure while it cools is of a turn that began before: it says nothing new.
if untilAt <= now then
  strikes = strikes + 1
  wait = math.max(wait, math.min(tonumber(ARGV[3]) * 2 ^ (strikes - 1), tonumber(ARGV[4])))
end
untilAt = math.max(untilAt, now + wait)
local told = string.format('%.0f', untilAt)
redis.call('HSET', KEYS[1], ARGV[1], told .. ' ' .. strikes .. ' 0 -')
redis.call('PUBLISH', ARGV[7], told .. ' ' .. ARGV[1])
return told
