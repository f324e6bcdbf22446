#!/bin/sh
# Counts the lines of each file. Needs jq.
echo '{"ready":true,"protocol":1,"name":"lines"}' >&4
while IFS= read -r line <&3; do
    # No command gets the pipes: one that keeps running would hold them open.
    field() { printf '%s\n' "$line" | jq -r "$1 // empty" 3<&- 4>&-; }
    id=$(field .job.id)
    [ -n "$id" ] || continue
    # macOS's `wc` puts blanks before the number.
    lines=$(($(wc -l <"$(field .job.path)" 3<&- 4>&-)))
    if [ "$lines" -gt 0 ]; then
        echo "$lines" >"$(field .job.output_dir)/lines.txt"
        echo "{\"id\":\"$id\",\"accept\":{\"summary\":\"$lines lines\",\"labels\":{\"lines\":\"$lines\"}}}" >&4
    else
        echo "{\"id\":\"$id\",\"refuse\":{\"reason\":\"it has no lines\",\"kind\":\"empty\"}}" >&4
    fi
done
