-- Asks limits and budgets for many tasks, one after the other. Needs limits.lua and budgets.lua.
-- `batch` is {limits, budgets, shares, tasks, row, varying}: lists of limits, budgets, lists of shares, which asks name by
-- number, and the tasks that ask. A row is {how, requests before, tokens before, requests, tokens, limits, key, depth, mode,
-- fence, wanted, least, order, shares, spent}: of limits as `perform` takes it there, then of budgets; how and mode are ''
-- for none. `row` has what is the same for all; `varying` is {column, its value for each task, …}.
-- Gives nil when budgets need other starts of their windows: then nothing can be asked.
local function open_quotas(root, minute_ms, batch)
  local limit_lists, facts, share_lists, ids, row, varying = unpack(batch)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  -- 0 where it varies.
  local usesLimits, usesBudgets = row[1] ~= '', row[9] ~= ''
  local budgets = usesBudgets and open_budgets(root, now, facts, share_lists, ids)
  if usesBudgets and not budgets then return nil, now end
  local limits = usesLimits and open_limits(root, minute_ms, now, ids, limit_lists)
  return {
    ids = ids,
    -- The ask of a task by its number. 1: it got all it asked for; else {answer of the limits, of the budgets}, of which
    -- the second is 0 where they were not asked. Who gets no money holds no limit either.
    perform = function(i)
      for k = 1, #varying, 2 do row[varying[k]] = varying[k + 1][i] end
      local id, how, mode = ids[i], row[1], row[9]
      if how ~= '' then
        local answer = limits.perform(id, how, unpack(row, 2, 8))
        if answer ~= 1 then return { answer, 0 } end
      end
      if mode == '' then return 1 end
      local answer = budgets.perform(id, mode, unpack(row, 10, 15))
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
