# profile.awk - a callgrind dump summed up by function, own instructions only.
# (The annotating tool of some valgrind versions puts everything of a forked process on one line.)

/^fn=/ {
    id = $1
    sub(/^fn=/, "", id)
    if (NF > 1) {
        name[id] = substr($0, index($0, ") ") + 2)
    }
    current = id
    next
}
/^calls=/ { skip = 1; next } # the next line is what the callee cost
/^c?(fi|fe|fl|ob|fn)=/ || /^cfn=/ || /^cfi=/ || /^cob=/ {
    if ($0 ~ /^cfn=/ && NF > 1) {
        id = $1
        sub(/^cfn=/, "", id)
        name[id] = substr($0, index($0, ") ") + 2)
    }
    next
}
/^[0-9+*-]/ && NF == 2 {
    if (!skip) {
        own[current] += $2
        all += $2
    }
    skip = 0
}
END {
    for (id in own) {
        printf "%d %.2f%% %s\n", own[id], own[id] * 100 / all, name[id] == "" ? id : name[id]
    }
}
