/*
 * words.pml - what the models of gate.c and of the pools share: columns, heads, wakes, tickets.
 *
 * One statement, or one d_step, touches one word of the segment once, as one instruction of a
 * process does; sums and searches read column after column. Local steps ride along with them, which
 * hides no interleaving.
 */
#ifndef W /* workers, 2 or 3 */
#define W 2
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef COMEBACKS /* requests of a worker that was started again */
#define COMEBACKS 0
#endif
#ifndef LEAVES
#define LEAVES 0
#endif
#ifndef ENDS /* so many requests end, the others stay in: then room must not stay empty */
#define ENDS 255
#endif
#define NOBODY 255

/* --- the segment: how a process is told to look (shm/wake.c) --- */

#ifdef BELLS
bool flag[W]; /* a poke is on its way */
bool bell[W]; /* the eventfd */
#define IS_RUNG(w) bell[w]
#else
bool hint[W]; /* both in one */
#define IS_RUNG(w) hint[w]
#endif

/* --- the world --- */

/* DYING: no step more. GONE: not yet swept. READY: swept, to be started again. DONE: has left. */
#define ALIVE 0
#define DYING 1
#define GONE 2
#define READY 3
#define DONE 4
byte life[W];
byte tickets;   /* the clock */
byte leaves;
byte ends;

/* --- gates and queues: g is the gate's number; s, best, who, older are the process's own --- */

byte held[GATES * W];
byte head[GATES * W]; /* ticket of the oldest waiter, 0 = none */

#define HELD(g, w) held[(g) * W + (w)]
#define HEAD(g, w) head[(g) * W + (w)]
#define QUEUE(g, i) q[(g) * (REQS + 1) + (i)]

inline sum(g)
{
    s = HELD(g, 0);
    s = s + HELD(g, 1);
#if W > 2
    s = s + HELD(g, 2);
#endif
}

inline look_at(g, w)
{
    if
    :: HEAD(g, w) != 0 && HEAD(g, w) < best -> best = HEAD(g, w); who = w
    :: else
    fi
}

inline find_oldest(g)
{
    d_step { best = NOBODY; who = NOBODY; look_at(g, 0) };
    d_step { look_at(g, 1) };
#if W > 2
    d_step { look_at(g, 2) };
#endif
}

/* Does somebody wait there who came before `than`? Of all processes but `except`. */
inline is_before(g, w, than, except)
{
    if
    :: w != except && HEAD(g, w) != 0 && HEAD(g, w) < than -> older = true
    :: else
    fi
}

inline look_for_older(g, than, except)
{
    d_step { older = false; is_before(g, 0, than, except) };
    d_step { is_before(g, 1, than, except) };
#if W > 2
    d_step { is_before(g, 2, than, except) };
#endif
}

/* --- waking --- */

/* wake_poke: the exchange of the flag, then the bell. */
inline poke()
{
#ifdef BELLS
    d_step {
        best = 0;
        ring = false;
        if
        :: who != NOBODY && !flag[who] -> flag[who] = true; ring = true
        :: else
        fi
    };
    if
    :: ring -> bell[who] = true
    :: else
    fi;
    d_step { who = 0; ring = false }
#else
    d_step {
        best = 0;
        if
        :: who != NOBODY -> hint[who] = true
        :: else
        fi;
        who = 0
    }
#endif
}

inline wake_oldest(g)
{
    find_oldest(g);
    poke()
}

/* Whoever waits at `queue`, if there is room in `g`. */
inline wake_if_room(g, queue)
{
    sum(g);
    if
    :: d_step { s < LIMIT -> s = 0 }; wake_oldest(queue)
    :: d_step { else -> s = 0 }
    fi
}

/* wake_clear: the bell, then the flag, then look. */
inline wake_clear()
{
#ifdef BELLS
#ifdef FLAGFIRST
    flag[me] = false;
    bell[me] = false
#else
    bell[me] = false;
    flag[me] = false
#endif
#else
    hint[me] = false
#endif
}

/* wake_all: rings whatever the flags say, but not the dead. */
inline wake_all()
{
    n = 0;
    do
    :: n < W && n == k -> n++
    :: n < W && n != k ->
#ifdef BELLS
#ifdef POLITE
        d_step { ring = !flag[n]; flag[n] = true };
        if
        :: ring -> bell[n] = true
        :: else
        fi;
        d_step { ring = false; n++ }
#else
        flag[n] = true;
        d_step { bell[n] = true; n++ }
#endif
#else
        d_step { hint[n] = true; n++ }
#endif
    :: n == W -> break
    od;
    n = 0
}

/* --- one gate --- */

/* Of a word that is added and perhaps taken back a bit says which it is (pool.pml looks at it). */
#ifdef TRIES
bool trying[GATES * W];
#define TRYING(g, w) trying[(g) * W + (w)]
#define SET_TRYING(g, w, is) TRYING(g, w) = is
#else
#define SET_TRYING(g, w, is) skip
#endif

inline try_take(g)
{
    d_step { HELD(g, me) = HELD(g, me) + 1; SET_TRYING(g, me, true) }; /* ADD */
    sum(g);                                                          /* SUM */
    if
    :: d_step { s <= LIMIT -> s = 0; got = true };
#ifdef TRIES
        TRYING(g, me) = false /* KEEP */
#endif
    :: d_step { else -> s = 0; got = false };
        d_step { HELD(g, me) = HELD(g, me) - 1; SET_TRYING(g, me, false) }; /* BACK */
#ifndef NOBACKWAKE
        wake_if_room(g, g) /* BACKWAKE */
#endif
    fi
}

/* A queue in our own memory, oldest first; who comes now is the youngest. */
inline push(g)
{
    d_step { QUEUE(g, count[g]) = mine; count[g] = count[g] + 1 };
    HEAD(g, me) = QUEUE(g, 0) /* PUBLISH */
}

inline pop(g)
{
    d_step {
        QUEUE(g, 0) = QUEUE(g, 1);
#if REQS > 1
        QUEUE(g, 1) = QUEUE(g, 2);
#endif
#if REQS > 2
        QUEUE(g, 2) = QUEUE(g, 3);
#endif
        QUEUE(g, REQS) = 0;
        count[g] = count[g] - 1
    };
    HEAD(g, me) = QUEUE(g, 0) /* PUBLISH */
}
