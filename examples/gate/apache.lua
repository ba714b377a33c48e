-- Asks the gate about a request, for apache.conf: its hook is `go_auth`.
--
-- It is part of the guard: what it returns is the answer, and a request passes on apache2.OK
-- alone. Where this file can't be loaded, Apache answers everything with 500.

local socket = require("socket")
local unix = require("socket.unix")

-- Any number of gates: they share nothing. The first that answers decides.
local GATES = {
    { "127.0.0.1", 8081 },
    --socket: { "/run/go-auth/gate" },
}
local CONNECT_SECONDS = 1
local ANSWER_SECONDS = 5 -- more than key_wait
local IDLE_SECONDS = 5 -- the gate closes after 10 s
local MOST_HEADERS = 100

local IDENTITY = { "X-Go-Subject", "X-Go-Issuer", "X-Go-Token-Id", "X-Go-Api" }

-- The connection of this thread, and when it was used last.
local kept, used

-- The gate's status and headers, or nothing where it does not answer in time.
local function exchange(connection, question, deadline)
    local function until_then()
        -- Less than nothing would be no limit.
        connection:settimeout(math.max(0, deadline - socket.gettime()), "t")
        return connection
    end
    local function receive()
        return until_then():receive("*l")
    end
    if not until_then():send(question) then
        return nil
    end
    local status = tonumber((receive() or ""):match("^HTTP/1%.1 (%d%d%d) "))
    local headers = {}
    for _ = 0, MOST_HEADERS do
        local line = receive()
        if line == "" then
            return status, headers
        end
        local name, value = (line or ""):match("^([^:]+):%s*(.-)%s*$")
        if not name then
            return nil
        end
        headers[name:lower()] = value
    end
    return nil
end

local function ask(asked)
    local question = "GET /auth HTTP/1.1\r\nHost: go-auth\r\n"
    for name, value in pairs(asked) do
        question = question .. name .. ": " .. value .. "\r\n"
    end
    question = question .. "\r\n"
    local deadline = socket.gettime() + ANSWER_SECONDS

    local function try(connection)
        local status, headers = exchange(connection, question, deadline)
        -- Only an answer without a body leaves the connection ready for another question.
        if status and headers["content-length"] == "0" then
            kept, used = connection, socket.gettime()
        else
            connection:close()
        end
        return status, headers
    end

    if kept then
        local connection = kept
        kept = nil
        if socket.gettime() - used < IDLE_SECONDS then
            local status, headers = try(connection)
            if status then
                return status, headers
            end
        else
            connection:close()
        end
    end
    for _, gate in ipairs(GATES) do
        if socket.gettime() >= deadline then
            return nil
        end
        local connection = gate[2] and socket.tcp() or unix.stream()
        connection:settimeout(CONNECT_SECONDS, "t")
        if connection:connect(gate[1], gate[2]) then
            local status, headers = try(connection)
            if status then
                return status, headers
            end
        else
            connection:close()
        end
    end
    return nil
end

function go_auth(r)
    if not r.is_initial_req then
        -- Apache has sent itself elsewhere. Only the gate's word is under these names.
        for _, name in ipairs(IDENTITY) do
            if r.headers_in[name] then
                return apache2.OK
            end
        end
    end

    -- The second is for the gate's log.
    local asked = {
        Authorization = r.headers_in["Authorization"],
        traceparent = r.headers_in["traceparent"],
    }
    -- The API has no use for it any more.
    r.headers_in["Authorization"] = nil
    -- x-go-subject and the like, with whatever between their words, since that is all the
    -- same to whoever reads headers as CGI variables.
    for name in pairs(r:headers_in_table()) do
        if name:lower():find("^x[^%w]go[^%w]") then
            r.headers_in[name] = nil
        end
    end
    -- It may name headers, which Apache would drop.
    local connection = (r.headers_in["Connection"] or ""):lower()
    r.headers_in["Connection"] = connection:find("close") and "close" or nil

    for _, value in pairs(asked) do
        if value:find("[\r\n]") then
            return 400
        end
    end
    -- The API might take what follows for a tunnel, and Apache for further requests.
    if r.method == "CONNECT" then
        return 405
    end
    local worked, status, headers = pcall(ask, asked)
    if worked and status == 200 then
        -- Who it is, by the gate's word alone.
        for _, name in ipairs(IDENTITY) do
            local value = headers[name:lower()]
            if value and value ~= "" then
                r.headers_in[name] = value
            end
        end
        return apache2.OK
    end
    if worked and (status == 401 or status == 403) then
        r.err_headers_out["WWW-Authenticate"] = headers["www-authenticate"]
        r.notes["go-challenge"] = headers["www-authenticate"]
        return status
    end
    -- No keys, or no gate. Neither is a fault of the push, so GO should come again.
    r.err_headers_out["Retry-After"] = worked and status == 503 and headers["retry-after"] or "10"
    return 503
end
