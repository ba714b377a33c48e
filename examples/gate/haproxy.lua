-- Asks the gate about a request, for haproxy.cfg: `http-request lua.go_auth ADDRESS`.
--
-- It decides nothing. It sets the variables below to what the gate answered, and haproxy.cfg
-- admits a request where txn.go_status is 200. Where this fails there is no such variable.

local HEADERS = {
    ["txn.go_subject"] = "x-go-subject",
    ["txn.go_issuer"] = "x-go-issuer",
    ["txn.go_token_id"] = "x-go-token-id",
    ["txn.go_api"] = "x-go-api",
    ["txn.go_challenge"] = "www-authenticate",
    ["txn.go_retry_after"] = "retry-after",
}

core.register_action("go_auth", { "http-req" }, function(txn, address)
    local received = txn.http:req_get_headers()
    -- All that there are, since the gate rejects two. HAProxy counts them from 0, and Lua
    -- from 1.
    local function all(name)
        local values = {}
        for index, value in pairs(received[name] or {}) do
            values[index + 1] = value
        end
        return values
    end
    local answer = core.httpclient():get({
        url = "http://go-auth/auth",
        dst = address,
        -- The second is for the gate's log.
        headers = { authorization = all("authorization"), traceparent = all("traceparent") },
    })
    for variable, header in pairs(HEADERS) do
        local values = answer.headers and answer.headers[header]
        if values and values[0] ~= "" then
            txn:set_var(variable, values[0])
        end
    end
    txn:set_var("txn.go_status", answer.status)
end, 1)
