-- Answers every request and keeps the account that rates are taken from. All workers share one dictionary of figures.
local receiver = {}

local figures = ngx.shared.figures
local answer = '{"status":"Accepted"}'

-- Reads the body, waits for delay_seconds if that is not 0, answers, and counts the request once it is answered.
-- One record in 100,000, told by its number, takes slow_seconds in place of that, unless it is 0.
function receiver.accept(delay_seconds, slow_seconds)
    ngx.req.read_body()
    if slow_seconds > 0 and string.find(ngx.req.get_body_data() or "", "session%-%d%d%d%d%d50000") then
        delay_seconds = slow_seconds
    end
    local in_flight = figures:incr("in_flight", 1, 0)
    if in_flight > (figures:get("peak_in_flight") or 0) then
        figures:set("peak_in_flight", in_flight)
        figures:add("first_seconds", ngx.now())
    end
    if delay_seconds > 0 then
        ngx.sleep(delay_seconds)
    end
    ngx.header.content_type = "application/json"
    ngx.header.content_length = #answer
    ngx.print(answer)
    figures:incr("in_flight", -1)
    figures:set("last_seconds", ngx.now())
    figures:incr("answered", 1, 0)
end

-- The account as one line of JSON; seconds are nginx's wall clock, exact to about a millisecond.
function receiver.account()
    ngx.say(string.format(
        '{"answered":%d,"first_seconds":%.3f,"last_seconds":%.3f,"in_flight":%d,"peak_in_flight":%d}',
        figures:get("answered") or 0, figures:get("first_seconds") or 0, figures:get("last_seconds") or 0,
        figures:get("in_flight") or 0, figures:get("peak_in_flight") or 0))
end

-- Starts a new account. Only between runs, when nothing is in flight.
function receiver.reset()
    figures:flush_all()
    ngx.say("{}")
end

return receiver
