-- Answers every request and keeps the account that rates are taken from. All workers share one dictionary of figures.
local receiver = {}

local figures = ngx.shared.figures
local answer = '{"status":"Accepted"}'

-- nginx's own clock is exact to a millisecond, which is half of what is measured with it.
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long microseconds; } moment; int gettimeofday(moment *, void *);")
local moment = ffi.new("moment")

local function now()
    ffi.C.gettimeofday(moment, nil)
    return tonumber(moment.seconds) + tonumber(moment.microseconds) / 1e6
end

local steps_a_decade = 200

-- Counts how long ago a moment was, in steps of 1.2 % from a tenth of a millisecond on.
local function note_latency(since)
    local milliseconds = 1000 * (now() - since)
    local step = math.floor(steps_a_decade * math.log10(math.max(milliseconds, 0.1) / 0.1) + 0.5)
    figures:incr("latency_" .. step, 1, 0)
    figures:incr("latencies", 1, 0)
end

-- The latency in milliseconds that this share of records did not exceed, 0 when none was counted.
local function latency(share)
    local left = share * (figures:get("latencies") or 0)
    if left == 0 then
        return 0
    end
    for step = 0, 8 * steps_a_decade do
        left = left - (figures:get("latency_" .. step) or 0)
        if left <= 0 then
            return 0.1 * 10 ^ (step / steps_a_decade)
        end
    end
    return 0
end

-- When each place is free again, and how long a request has it; none when there is no such limit.
local free_at = {}
local place_seconds = 0

-- How long a request that came now waits for a place and has it then.
local function wait_for_place(came_at)
    local first = 1
    for place = 2, #free_at do
        if free_at[place] < free_at[first] then
            first = place
        end
    end
    free_at[first] = math.max(free_at[first], came_at) + place_seconds
    return free_at[first] - came_at
end

-- Gives the service so many places, all free. Known to this worker alone, of which there must be no other.
function receiver.set_capacity()
    local asked = ngx.req.get_uri_args()
    free_at, place_seconds = {}, tonumber(asked.seconds)
    for place = 1, tonumber(asked.places) do
        free_at[place] = 0
    end
    ngx.say("{}")
end

-- Reads the body, waits for delay_seconds if that is not 0, answers, and counts the request once it is answered.
-- One record in 100,000, told by its number, takes slow_seconds in place of that, unless it is 0. Latencies are counted
-- since records were "written", which they say themselves, since they were "received", or not at all.
function receiver.accept(delay_seconds, slow_seconds, latencies_since)
    local received_at = latencies_since == "received" and now()
    ngx.req.read_body()
    local body = (slow_seconds > 0 or latencies_since == "written") and ngx.req.get_body_data() or ""
    if slow_seconds > 0 and string.find(body, "session%-%d%d%d%d%d50000") then
        delay_seconds = slow_seconds
    end
    local written_at = latencies_since == "written" and string.match(body, '^{"written_at": ([%d.]+)')
    if written_at then
        note_latency(tonumber(written_at))
    end
    local in_flight = figures:incr("in_flight", 1, 0)
    if in_flight > (figures:get("peak_in_flight") or 0) then
        figures:set("peak_in_flight", in_flight)
        figures:add("first_seconds", ngx.now())
    end
    if #free_at > 0 then
        local came_at = now()
        ngx.sleep(wait_for_place(came_at))
        figures:incr("under_way_seconds", now() - came_at, 0)
    elseif delay_seconds > 0 then
        ngx.sleep(delay_seconds)
    end
    ngx.header.content_type = "application/json"
    ngx.header.content_length = #answer
    ngx.print(answer)
    figures:incr("in_flight", -1)
    figures:set("last_seconds", ngx.now())
    figures:incr("answered", 1, 0)
    if received_at then
        note_latency(received_at)
    end
end

-- Forgets the latencies so far, of records that waited for somebody to start.
function receiver.forget_latencies()
    for step = 0, 8 * steps_a_decade do
        figures:delete("latency_" .. step)
    end
    figures:set("latencies", 0)
    ngx.say("{}")
end

-- The account as one line of JSON; seconds are nginx's wall clock, exact to about a millisecond.
function receiver.account()
    ngx.say(string.format(
        '{"answered":%d,"first_seconds":%.3f,"last_seconds":%.3f,"in_flight":%d,"peak_in_flight":%d,'
            .. '"under_way_seconds":%.6f}',
        figures:get("answered") or 0, figures:get("first_seconds") or 0, figures:get("last_seconds") or 0,
        figures:get("in_flight") or 0, figures:get("peak_in_flight") or 0, figures:get("under_way_seconds") or 0))
end

-- The latencies as one line of JSON, in milliseconds.
function receiver.latencies()
    ngx.say(string.format('{"p50":%.3f,"p99":%.3f}', latency(0.5), latency(0.99)))
end

-- Starts a new account. Only between runs, when nothing is in flight.
function receiver.reset()
    figures:flush_all()
    ngx.say("{}")
end

return receiver
