/*
 * gate.pml - the gate of shm/gate.c: W workers, each an event loop with up to REQS requests, one
 * limit, and deaths anywhere. Steps have the names of the comments in gate.c.
 *
 *   spin -DW=2 -DREQS=2 -DLIMIT=1 -a gate.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m300000
 *
 * Checked: never more inside than LIMIT (assert), nobody waits for ever, and with ENDS nobody waits
 * while there is room (no invalid end state: a worker with a waiter and no wake on its way has
 * nowhere to go). run.sh has the sizes that fit a
 * small machine, and the mutants that must fail: NOSECOND, NOBACKWAKE, NOBATON, NOGIVEWAKE,
 * NOLEAVEWAKE, NOSWEEPWAKE.
 *
 * Differs from the code: arrival is a ticket; a newcomer that collides tries once, not up to
 * GATE_TRIES times (fewer tries lose more wakes, not fewer); pools are not modelled.
 */
#ifndef W
#define W 2
#endif
#ifndef REQS
#define REQS 2
#endif
#ifndef REQS_0 /* of worker 0, when it has fewer than the others */
#define REQS_0 REQS
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef LEAVES
#define LEAVES 0
#endif
#ifndef ENDS /* so many requests end, the others stay in: then room must not stay empty */
#define ENDS 255
#endif

/* The segment. */
byte held[W];
byte head[W]; /* ticket of the oldest waiter, 0 = none */
bool hint[W]; /* the eventfd */

/* The world. */
byte inside[W]; /* requests that were let in */
bool crash[W];
byte tickets;
byte leaves;
byte ends;

#if W > 2
#define INSIDE (inside[0] + inside[1] + inside[2])
#else
#define INSIDE (inside[0] + inside[1])
#endif
#define IS_FULL (INSIDE >= LIMIT)

/* Sums and searches read the columns one by one, as the code does. */
inline sum_held()
{
    s = 0;
    i = 0;
    do
    :: i < W -> s = s + held[i]; i++
    :: else -> break
    od;
    i = 0
}

inline wake_oldest()
{
    best = 255;
    who = 255;
    i = 0;
    do
    :: i < W ->
        d_step {
            if
            :: head[i] != 0 && head[i] < best -> best = head[i]; who = i
            :: else
            fi;
            i++
        }
    :: else -> break
    od;
    if
    :: who != 255 -> hint[who] = 1
    :: else
    fi;
    d_step { i = 0; best = 0; who = 0 }
}

inline wake_if_room()
{
    sum_held();
    if
    :: s < LIMIT -> s = 0; wake_oldest()
    :: else -> s = 0
    fi
}

/* older = somebody of another process waits who came before `mine` (255: anybody, us too). */
inline look_for_older(mine)
{
    older = false;
    i = 0;
    do
    :: i < W ->
        d_step {
            if
            :: head[i] != 0 && (mine == 255 || (i != me && head[i] < mine)) -> older = true
            :: else
            fi;
            i++
        }
    :: else -> break
    od;
    i = 0
}

inline try_take()
{
    held[me] = held[me] + 1; /* ADD */
    sum_held();              /* SUM */
    if
    :: s <= LIMIT -> s = 0; got = true
    :: else ->
        s = 0;
        got = false;
        held[me] = held[me] - 1; /* BACK */
#ifndef NOBACKWAKE
        wake_if_room() /* BACKWAKE */
#endif
    fi
}

inline go_in()
{
    d_step {
        got = false;
        inside[me] = inside[me] + 1;
        assert(INSIDE <= LIMIT)
    }
}

/* The local queue: tickets in order of arrival, which here is that of the calls. */
inline pop()
{
    d_step {
        q[0] = q[1];
#if REQS > 1
        q[1] = q[2];
#endif
#if REQS > 2
        q[2] = q[3];
#endif
        q[REQS] = 0;
        count--
    };
    head[me] = q[0] /* PUBLISH */
}

proctype Worker(byte me)
{
    byte i = 0, s = 0, best = 0, who = 0, fresh, count = 0;
    byte q[REQS + 1];
    bool got = false, older = false;
    fresh = (me == 0 -> REQS_0 : REQS);
    {
        do
        :: fresh > 0 -> /* a request arrives */
            fresh--;
            look_for_older(255);
            if
            :: !older -> try_take()
            :: else -> older = false
            fi;
            if
            :: got -> go_in()
            :: else -> /* gate_wait */
                d_step { tickets++; q[count] = tickets; count++ };
                head[me] = q[0]; /* PUBLISH */
#ifndef NOSECOND
                look_for_older(q[0]);
                if
                :: count == 1 && !older -> try_take() /* SECOND */
                :: else -> older = false; wake_if_room()
                fi;
                if
                :: got -> go_in(); pop();
#ifndef NOBATON
                    wake_if_room() /* BATON */
#endif
                :: else
                fi
#endif
            fi
        :: d_step { inside[me] > 0 && ends < ENDS ->
#if ENDS < 255
                    ends++;
#endif
                    inside[me] = inside[me] - 1 }; /* a request ends */
            held[me] = held[me] - 1; /* SUB */
#ifndef NOGIVEWAKE
            wake_oldest() /* GIVEWAKE */
#endif
        :: d_step { count > 0 && leaves < LEAVES -> leaves++ }; /* our oldest loses patience */
            pop(); /* LEAVE */
#ifndef NOLEAVEWAKE
            wake_if_room() /* LEAVEWAKE */
#endif
        :: hint[me] -> /* gate_on_wake */
            hint[me] = 0;
            do
            :: count == 0 -> goto baton
            :: else ->
                look_for_older(q[0]);
                if
                :: older -> older = false; goto baton
                :: else
                fi;
                try_take();
                if
                :: got -> go_in(); pop() /* TURN */
                :: else -> goto served
                fi
            od;
baton:
#ifndef NOBATON
            wake_if_room(); /* BATON */
#endif
served:
            skip
        :: fresh == 0 && count == 0 && !hint[me] && (inside[me] == 0 || ends == ENDS) -> break
#if ENDS < 255
        :: count > 0 && ends == ENDS && IS_FULL -> break /* waits with good reason */
#endif
        od
    }
    unless
    {
        crash[me]
    }
}

/* Master and recorder: a worker may die at any step; then its words are cleared and all are woken. */
active proctype Master()
{
    byte k = 0, n = 0, crashes = 0;
    run Worker(0);
    run Worker(1);
#if W > 2
    run Worker(2);
#endif
end:
    do
    :: crashes < CRASHES ->
        if
        :: k = 0
        :: k = 1
#if W > 2
        :: k = 2
#endif
        fi;
        d_step { crash[k] = true; crashes++; inside[k] = 0 };
        head[k] = 0; /* CLEAR */
        held[k] = 0;
        hint[k] = 0;
#ifndef NOSWEEPWAKE
        n = 0;
        do
        :: n < W -> hint[n] = 1; n++ /* wake_all */
        :: else -> break
        od;
        n = 0
#endif
    :: true -> break
    od
}
