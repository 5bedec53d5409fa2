# nginx writes its errors as text; this makes each line one of ours. What a request asked for is told without its query.
s/(request: "[A-Z]+ [^ "?]*)\?[^ "]*/\1/
s/((upstream|referrer): "[^"?]*)\?[^"]*/\1/g
s/\\/\\\\/g
s/"/\\"/g
s/[[:cntrl:]]/ /g
t begin
:begin
s/^([0-9]{4})\/([0-9]{2})\/([0-9]{2}) ([0-9:]{8}) \[([a-z]+)\] ([0-9]+)#[0-9]+: (.*)$/{"time":"\1-\2-\3T\4+00:00","level":"\5","part":"webui","event":"\7","pid":\6}/
t level
s/^(.*)$/{"level":"info","part":"webui","event":"\1"}/
b
:level
s/"level":"(notice|info)"/"level":"info"/
s/"level":"warn"/"level":"warning"/
s/"level":"(crit|alert|emerg)"/"level":"critical"/
