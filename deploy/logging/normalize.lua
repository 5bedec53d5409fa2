-- Gives every record the fields of ImagoMortis: time, level, part, event, and image, run, attempt, seconds, error where
-- the line had them. Most lines have them already; this is for those of nginx, Loki, Grafana, Fluent Bit itself, and for
-- an interpreter's last words. It gets a record whose line was parsed if it is JSON, and is in `log` otherwise.

local LEVELS = {
  debug = "debug", info = "info", notice = "info", warn = "warning", warning = "warning",
  error = "error", err = "error", crit = "critical", critical = "critical", alert = "critical", emerg = "critical",
}

local function first_of(...)
  for index = 1, select("#", ...) do
    local value = select(index, ...)
    if value ~= nil and value ~= "" then return value end
  end
end

-- what a line of text says of itself: "[error]" of nginx, "[ warn]" of Fluent Bit, a traceback of Python
local function level_of_text(text)
  if string.find(text, "Traceback (most recent call last)", 1, true) then return "error" end
  for word in string.gmatch(text, "%[%s*(%a+)%s*%]") do
    if LEVELS[word] then return LEVELS[word] end
  end
  return "info"
end

function normalize(tag, timestamp, record)
  local kubernetes = record["kubernetes"] or {}
  local labels = kubernetes["labels"] or {}
  local text = record["log"]
  record["log"], record["kubernetes"] = nil, nil

  if text ~= nil then
    record["event"] = string.gsub(text, "%s+$", "")
    record["level"] = level_of_text(text)
  end
  record["event"] = first_of(record["event"], record["msg"], record["message"], "")
  record["level"] = LEVELS[string.lower(tostring(record["level"] or "info"))] or "info"
  record["part"] = first_of(record["part"], labels["app.kubernetes.io/component"], kubernetes["container_name"], "other")
  record["time"] = first_of(
    record["time"], record["ts"], record["t"], os.date("!%Y-%m-%dT%H:%M:%S+00:00", math.floor(tonumber(timestamp) or 0)))
  record["msg"], record["message"], record["ts"], record["t"] = nil, nil, nil, nil
  record["namespace"] = kubernetes["namespace_name"]
  record["pod"] = kubernetes["pod_name"]
  record["node"] = kubernetes["host"]
  return 2, timestamp, record
end
