"""What the store runs: the buckets of ``gateway.rate_limit.buckets`` in Lua, one step per call.

Keys are buckets. The first argument is the time in microseconds, empty for the server's own clock,
which is what keeps gateways with different clocks in step. Then, for each key: its kind (``even``
or ``fixed``), limit, window in microseconds, and ``need``, ``want`` and ``debt`` of
``store.Order``. For each key the answer has tokens granted, tokens left in a fixed window, and
microseconds until the bucket is full.

A gateway may hold tokens it was granted beyond its need for a while (``hold``). For as long an
even bucket must not fill up behind them, or a caller could burst with a full bucket and with what
is held: so it counts, in slots of that length, what may be held, and is never fuller than its limit
less that.
"""

from __future__ import annotations

from typing import Final

HOLDS: Final = 50
LONGEST_HOLD: Final = 2.0
"""Seconds that tokens may be held: the window divided by ``HOLDS``, but no more than these."""


def hold(window: float) -> float:
    """Give the seconds that tokens of a bucket may be held."""
    return min(window / HOLDS, LONGEST_HOLD)


_BUCKETS: Final = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  -- From a later epoch, so that fractions of a microsecond fit into a double.
  now = (time[1] - 1700000000) * 1000000 + time[2]
end

local function even(key, limit, window, need, want, debt)
  local step = window / limit
  local hold = math.min(window / HOLDS, LONGEST)
  local slot = math.floor(now / hold)
  local full, young, old = 0, 0, 0
  local stored = redis.call('GET', key)
  if stored then
    local last
    full, last, young, old = string.match(stored, '^(%S+) (%S+) (%S+) (%S+)$')
    full, last, young, old = tonumber(full), tonumber(last), tonumber(young), tonumber(old)
    if slot == last + 1 then
      young, old = 0, young
    elseif slot ~= last then
      young, old = 0, 0
    end
  end
  local wait = math.max(0, math.min(full - now, 2 * window)) + debt * step
  wait = math.max(wait, (young + old) * step, 0)
  local hair = math.min(0.5, step / 1000)
  local grant = math.max(0, math.min(want, math.floor((window - wait + hair) / step)))
  wait = wait + grant * step
  young = young + math.max(0, grant - need)
  local value = string.format('%.17g %.0f %d %d', now + wait, slot, young, old)
  redis.call('SET', key, value, 'PX', math.ceil((wait + 2 * hold) / 1000) + 1000)
  return {grant, 0, math.ceil(wait)}
end

local function fixed(key, limit, window, need, want, debt)
  local ends, used = 0, 0
  local stored = redis.call('GET', key)
  if stored then
    ends, used = string.match(stored, '^(%S+) (%S+)$')
    ends, used = tonumber(ends), tonumber(used)
  end
  local rest = math.min(ends - now, window)
  if rest <= 0 then
    if want == 0 then return {0, limit, 0} end
    rest, used = window, 0
  end
  used = math.max(0, used + debt)
  local grant = math.max(0, math.min(want, limit - used))
  used = used + grant
  local value = string.format('%.17g %d', now + rest, used)
  redis.call('SET', key, value, 'PX', math.ceil(rest / 1000) + 1000)
  return {grant, math.max(0, limit - used), math.ceil(rest)}
end

local answers = {}
for i, key in ipairs(KEYS) do
  local n = {}
  for j = 2, 6 do n[j] = tonumber(ARGV[(i - 1) * 6 + j + 1]) end
  local ask = ARGV[(i - 1) * 6 + 2] == 'even' and even or fixed
  answers[i] = ask(key, n[2], n[3], n[4], n[5], n[6])
end
return answers
"""

SCRIPT: Final = _BUCKETS.replace("HOLDS", str(HOLDS)).replace(
    "LONGEST", str(round(LONGEST_HOLD * 1e6))
)
"""The script, ready to send."""
