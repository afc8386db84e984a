# table.awk - medians over the rounds, ratios to nginx inside each round, and the aims.
# Input: rounds.txt (work target cpu rps p50 p99 ttfb errors), then counts.txt (name target value).

function median(list, n,    i, j, t) {
    for (i = 2; i <= n; i++) {
        t = list[i]
        for (j = i - 1; j > 0 && list[j] > t; j--) {
            list[j + 1] = list[j]
        }
        list[j + 1] = t
    }
    return n == 0 ? 0 : n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function middle(work, target, column,    i, list, n) {
    n = seen[work, target]
    for (i = 1; i <= n; i++) {
        list[i] = value[work, target, i, column]
    }
    return median(list, n)
}

# The median of the ratios inside the rounds; `less` is taken from both first (added latency).
function ratio(work, column, less,    i, list, n, a, b) {
    n = 0
    for (i = 1; i <= seen[work, "nginx"] && i <= seen[work, "gateway"]; i++) {
        a = value[work, "gateway", i, column]
        b = value[work, "nginx", i, column]
        if (less) {
            a -= value[work, "direct", i, column]
            b -= value[work, "direct", i, column]
        }
        if (b > 0) {
            list[++n] = a / b
        }
    }
    return median(list, n)
}

function verdict(have, aim) {
    if (have <= aim * 1.005) { # a half of a percent is the harness's own connection set-up
        return "pass"
    }
    missed++
    return "MISS"
}

function row(what, direct, nginx, gateway, x, aim_text, have, aim) {
    printf "%-34s %10s %10s %10s %7s  %-12s %s\n", what, direct, nginx, gateway, x, aim_text,
        aim_text == "" ? "" : verdict(have, aim)
}

function timed(what, work, column, form, aim,    x) {
    x = ratio(work, column, 0)
    row(what, sprintf(form, middle(work, "direct", column)),
        sprintf(form, middle(work, "nginx", column)),
        sprintf(form, middle(work, "gateway", column)), sprintf("%.2f", x),
        aim > 0 ? "x <= " aim : "", x, aim)
}

function added(what, work, column, aim,    x, d) {
    x = ratio(work, column, 1)
    d = middle(work, "direct", column)
    row(what, sprintf("(%d)", d), sprintf("+%d", middle(work, "nginx", column) - d),
        sprintf("+%d", middle(work, "gateway", column) - d), sprintf("%.2f", x),
        aim > 0 ? "x <= " aim : "", x, aim)
}

function counted(what, name, form, aim, relative,    a, b) {
    if (!((name, "gateway") in count) || !((name, "nginx") in count)) {
        row(what, "", "not", "counted", "", "", 0, 0)
        return
    }
    a = count[name, "gateway"]
    b = count[name, "nginx"]
    row(what, "", sprintf(form, b), sprintf(form, a), b > 0 ? sprintf("%.2f", a / b) : "-",
        relative ? "x <= " aim : "<= " aim, relative && b > 0 ? a / b : a, aim)
}

NF == 8 {
    i = ++seen[$1, $2]
    for (c = 3; c <= 8; c++) {
        value[$1, $2, i, c] = $c
    }
    errors[$2] += $8
}
NF == 3 { count[$1, $2] = $3 }

END {
    printf "\n%d rounds, one worker each, plain HTTP on loopback; x = gateway / nginx in one round\n\n",
        rounds
    printf "%-34s %10s %10s %10s %7s  %-12s\n", "", "direct", "nginx", "gateway", "x", "aim"
    timed("2 KB request: CPU us", "small", 3, "%.1f", 0.9)
    timed("2 KB request: requests/s", "small", 4, "%d", 0)
    timed("200 KB request: CPU us", "large", 3, "%.0f", 0.9)
    timed("chunk of a stream: CPU us", "chunk", 3, "%.2f", 1.0)
    added("added p50 us, 64 connections", "small", 5, 0)
    added("added p99 us, 64 connections", "small", 6, 0)
    added("added p50 us, 1 connection", "single", 5, 1.0)
    added("added p99 us, 1 connection", "single", 6, 0)
    added("added first byte p50 us, stream", "first", 7, 1.0)
    counted("2 KB request: system calls", "calls_small", "%.2f", 7, 0)
    counted("200 KB request: system calls", "calls_large", "%.2f", 1.0, 1)
    counted("chunk: system calls", "calls_chunk", "%.2f", 1.0, 1)
    counted("2 KB request: user instructions", "instr_small", "%d", 30000, 0)
    counted("200 KB request: user instructions", "instr_large", "%d", 140000, 0)
    counted("chunk: user instructions", "instr_chunk", "%d", 1.0, 1)
    counted("idle stream: KiB of user memory", "memory", "%.1f", 16, 0)
    row("errors", errors["direct"] + 0, errors["nginx"] + 0, errors["gateway"] + 0, "", "<= 0",
        errors["gateway"] + 0, 0)
    printf "\n%s\n", missed ? missed " aims missed" : "all aims reached"
}
