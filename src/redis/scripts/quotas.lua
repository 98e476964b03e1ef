-- Asks limits and budgets for many tasks, one after the other. Needs limits.lua and budgets.lua.
-- `batch` is {limits, budgets, shares, asks}: lists of limits, budgets, lists of shares, and asks that name these lists by
-- number. An ask is {task, how, requests before, tokens before, requests, tokens, limits, key, depth, mode, fence, wanted,
-- least, order, shares, spent}: of limits as `perform` takes it there, then of budgets; how and mode are '' for none.
-- Gives nil when budgets need other starts of their windows: then nothing can be asked.
local function open_quotas(root, minute_ms, batch)
  local time, ids, asks = redis.call('TIME'), {}, batch.asks
  local now, usesLimits, usesBudgets = time[1] * 1000 + math.floor(time[2] / 1000), false, false
  for i, ask in ipairs(asks) do
    ids[i] = ask[1]
    usesLimits, usesBudgets = usesLimits or ask[2] ~= '', usesBudgets or ask[10] ~= ''
  end
  local budgets = usesBudgets and open_budgets(root, now, batch.budgets, batch.shares, ids)
  if usesBudgets and not budgets then return nil, now end
  local limits = usesLimits and open_limits(root, minute_ms, now, ids, batch.limits)
  return {
    -- 1: it got all it asked for; else {answer of the limits, of the budgets}, of which the second is 0 where they were
    -- not asked. Who gets no money holds no limit either.
    perform = function(ask)
      local id, how, mode = ask[1], ask[2], ask[10]
      if how ~= '' then
        local answer = limits.perform(id, how, unpack(ask, 3, 9))
        if answer ~= 1 then return { answer, 0 } end
      end
      if mode == '' then return 1 end
      local answer = budgets.perform(id, mode, unpack(ask, 11, 16))
      if answer == 'held' or answer == 'settled' then return 1 end
      if how ~= '' and how ~= 'leave' and answer ~= 'stale' then limits.leave(id, 0, 0) end
      return { 1, answer }
    end,
    -- Writes what has changed, and gives the tasks that may try now.
    finish = function()
      local woken = limits and limits.finish() or {}
      if budgets then budgets.finish(woken) end
      return woken
    end,
  }, now
end
