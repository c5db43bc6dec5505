-- wrk: posts the bodies of a file in turn, and prints what came of it as one JSON line.
-- wrk -s post.lua URL -- PATH TOKEN BODIES

local requests, at = {}, 0

function init(args)
   local path, token, bodies = args[1], args[2], args[3]
   local headers = {
      ["Authorization"] = "Bearer " .. token,
      ["Content-Type"] = "application/json",
   }
   for body in io.lines(bodies) do
      requests[#requests + 1] = wrk.format("POST", path, headers, body)
   end
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
      summary.requests, summary.duration / 1e6, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
