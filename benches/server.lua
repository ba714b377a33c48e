-- Sends GO's pushes with the tokens of a file, one after the other and round
-- again, and reports the run as one line of JSON.
--
--   wrk … -s server.lua URL -- TOKENS
--
-- TOKENS: a file with a token per line.

local requests, at = {}, 0

function init(args)
  for token in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", "/ari/daily/push", {
      ["Host"] = "api",
      ["Authorization"] = "Bearer " .. token,
    }, "")
  end
  -- Runs begin at different places, so that short ones too get to all tokens.
  math.randomseed(os.time())
  at = math.random(#requests)
end

function request()
  at = at % #requests + 1
  return requests[at]
end

-- Times are in microseconds.
function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"duration":%d,"p50":%d,"p99":%d,"p999":%d,"failed":%d}',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
