/*
 * pool.pml - an account and those who wait for it: sessions bound to it in the queue of the
 * account's own gate, all others in the pool of their group (gate.c with upstream/select.c and
 * worker/attempt.c). Steps have the names of the comments there.
 *
 *   spin -DBOUND_1=1 -a pool.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m300000
 *
 * Gate 0 is the account, gate 1 the pool. Checked as in gate.pml: the limit (assert), and that
 * nobody waits for ever, or while there is room. And the order (assert): nobody is let in before one
 * who stood in the pool already when it was looked whose turn it is. With LOOSE the order is not
 * asked for: where sessions of the account's own queue leave, or leave room, the round that their
 * leaving begins comes a moment behind it.
 *
 * BOUND_w, POOL_w: requests of worker w of either kind. With GROUPS each worker's pool requests are
 * of a group of their own, and both groups use the account. With CLASSES there are two accounts
 * instead (gates 0 and 2), both in the group, and the requests of worker w may only use its own.
 *
 * Mutants that must fail: NOPOOLWAKE (who gives wakes the account's queue only), NOLEFTWAKE,
 * NOTURNWAKE (who leaves the account's queue, unserved or served, wakes no pool), NOPASS (a pool's
 * wake is not passed on), NOAGAIN (who gives up although there was room does not look again),
 * NOELDER (who makes way for an elder does not wake it), NOCHECK (what was taken in a round that is
 * over is kept), NOQUIET (tries while somebody gives count), NOGIVING (who gives does not say so),
 * NOFRESH (a new waiter counts as tried), NOKEEP (what is only tried counts as held),
 * NOSECOND, NOBACKWAKE, NOBATON, NOLEAVEWAKE.
 *
 * Differs from the code: who collides tries once, not up to GATE_TRIES times, before AGAIN; the
 * requests of a worker are of one class, so that it cannot overtake itself (test_round.c has that).
 */
#ifndef BOUND_0
#define BOUND_0 0
#endif
#ifndef BOUND_1
#define BOUND_1 0
#endif
#ifndef BOUND_2
#define BOUND_2 0
#endif
#ifndef POOL_0
#define POOL_0 1
#endif
#ifndef POOL_1
#define POOL_1 1
#endif
#ifndef POOL_2
#define POOL_2 1
#endif
#ifndef REQS /* the most of one kind in a worker */
#define REQS 2
#endif
#ifdef GROUPS
#define POOL (1 + me)
#else
#define POOL 1
#endif
#ifdef CLASSES
#define ACCOUNT (me == 0 -> 0 : 2)
#define GATES 3
#else
#define ACCOUNT 0
#ifdef GROUPS
#define GATES (1 + W)
#else
#define GATES 2
#endif
#endif
#ifdef CLASSES
#define IS_POOL(g) (g == 1)
#else
#define IS_POOL(g) (g > 0)
#endif
#ifndef NOKEEP
#define TRIES
#endif
#include "words.pml"

byte round[GATES];       /* of a pool: how often something came free */
bool giving[GATES * W];  /* of a pool: this process is about to give what it waits for */
byte inside[W];
#define GIVING(g, w) giving[(g) * W + (w)]
#if W > 2
#define INSIDE (inside[0] + inside[1] + inside[2])
#else
#define INSIDE (inside[0] + inside[1])
#endif
/* With CLASSES a worker's requests are an account's requests. */
#ifdef CLASSES
#define IS_FULL (inside[0] >= LIMIT && inside[1] >= LIMIT)
#define IS_KEPT (inside[0] <= LIMIT && inside[1] <= LIMIT)
#else
#define IS_FULL (INSIDE >= LIMIT)
#define IS_KEPT (INSIDE <= LIMIT)
#endif

/* One pool and one account: then nobody is let in before one who stood in the pool already when it
 * was looked whose turn it is. */
#if !defined(GROUPS) && !defined(CLASSES) && !defined(LOOSE)
byte pushed[W]; /* the last that went into the pool: tickets of a process grow */
#define IS_OVERTAKEN(w, than) \
    (w != me && life[w] == ALIVE && HEAD(POOL, w) != 0 && HEAD(POOL, w) < than && HEAD(POOL, w) <= seen[w])
#if W > 2
#define NOTE_WHO_WAITS seen[0] = pushed[0]; seen[1] = pushed[1]; seen[2] = pushed[2]
#define FORGET_WHO_WAITS seen[0] = 0; seen[1] = 0; seen[2] = 0
#define IS_IN_ORDER(than) \
    (!IS_OVERTAKEN(0, than) && !IS_OVERTAKEN(1, than) && !IS_OVERTAKEN(2, than))
#else
#define NOTE_WHO_WAITS seen[0] = pushed[0]; seen[1] = pushed[1]
#define FORGET_WHO_WAITS seen[0] = 0; seen[1] = 0
#define IS_IN_ORDER(than) (!IS_OVERTAKEN(0, than) && !IS_OVERTAKEN(1, than))
#endif
#define PUSHED(ticket) pushed[me] = ticket
#else
#define PUSHED(ticket) skip
#define NOTE_WHO_WAITS skip
#define FORGET_WHO_WAITS skip
#define IS_IN_ORDER(than) true
#endif

inline go_in()
{
    d_step {
        got = false;
        inside[me] = inside[me] + 1;
        assert(IS_KEPT)
    }
}

inline go_in_order(than)
{
    d_step {
        got = false;
        inside[me] = inside[me] + 1;
        assert(IS_KEPT);
        assert(IS_IN_ORDER(than))
    }
}

inline begin_round(g)
{
#ifndef NOGIVING
    GIVING(g, me) = true; /* GIVING */
#endif
    add_round(g)
}

inline end_round(g)
{
    GIVING(g, me) = false /* GIVEN */
}

inline add_round(g)
{
    look_for_older(g, NOBODY, NOBODY);
    if
    :: d_step { older -> older = false }; round[g] = round[g] + 1 /* ROUND */
    :: else
    fi
}

#ifndef GROUPS
#define FOR_POOLS(do_it) do_it(1)
#elif W > 2
#define FOR_POOLS(do_it) do_it(1); do_it(2); do_it(3)
#else
#define FOR_POOLS(do_it) do_it(1); do_it(2)
#endif

/* select_wake: who left the account's queue may have stood in the way of the pools. */
inline wake_pools_if_room()
{
    sum(ACCOUNT);
    if
    :: d_step { s < LIMIT -> s = 0 }; FOR_POOLS(add_round); FOR_POOLS(wake_oldest)
    :: d_step { else -> s = 0 }
    fi
}

/* gate_held: less what may be taken back. */
inline sum_kept(g)
{
#ifdef TRIES
    s = HELD(g, 0) - TRYING(g, 0);
    s = s + HELD(g, 1) - TRYING(g, 1);
#if W > 2
    s = s + HELD(g, 2) - TRYING(g, 2);
#endif
#else
    sum(g)
#endif
}

/* gate_take, for one that arrived at `than`. */
inline take_in_turn(than)
{
    look_for_older(ACCOUNT, than, NOBODY);
    if
    :: !older -> try_take(ACCOUNT);
#ifndef NOAGAIN
        if
        :: got
        :: else ->
            sum_kept(ACCOUNT);
            if
            :: d_step { s < LIMIT -> s = 0; who = me; again = true }; poke() /* AGAIN */
            :: d_step { else -> s = 0 }
            fi
        fi
#endif
    :: else -> older = false
    fi
}

/* select_take with one account: judged first. */
inline choose(than)
{
    sum_kept(ACCOUNT);
    if
    :: d_step { s < LIMIT -> s = 0 }; take_in_turn(than)
    :: d_step { else -> s = 0 }
    fi
}

/* gate_wait at the pool */
inline wait_for_group()
{
#ifndef NOFRESH
    if
    :: count[POOL] == 0 -> HELD(POOL, me) = NOBODY /* FRESH: not tried in any round */
    :: else
    fi;
#endif
    d_step { QUEUE(POOL, count[POOL]) = mine; count[POOL] = count[POOL] + 1 };
    d_step { HEAD(POOL, me) = QUEUE(POOL, 0); PUSHED(mine); NOTE_WHO_WAITS }; /* PUBLISH */
#ifndef NOSECOND
    look_for_older(POOL, mine, me);
    if
    :: count[POOL] == 1 && !older -> choose(mine); /* SECOND */
        if
        :: got -> go_in_order(mine); pop(POOL);
#ifndef NOBATON
            wake_oldest(POOL) /* BATON */
#endif
        :: else
        fi
    :: else -> older = false; wake_oldest(POOL)
    fi
#endif
}

/* gate_wait at the account's own gate */
inline wait_for_account()
{
    push(0);
#ifndef NOSECOND
    look_for_older(0, mine, me);
    if
    :: count[0] == 1 && !older -> try_take(0) /* SECOND */
    :: else -> older = false; wake_if_room(0, 0)
    fi;
    if
    :: got -> go_in(); pop(0);
#ifndef NOBATON
        wake_if_room(0, 0); /* BATON */
#endif
#ifndef NOTURNWAKE
        wake_pools_if_room()
#endif
    :: else
    fi
#endif
}

inline arrive_in_group()
{
    d_step { pools--; tickets++; mine = tickets; NOTE_WHO_WAITS };
    look_for_older(POOL, mine, NOBODY);
    if
    :: !older -> choose(mine)
    :: else -> older = false
    fi;
    if
    :: got -> go_in_order(mine)
    :: else -> wait_for_group()
    fi;
    d_step { mine = 0; again = false; FORGET_WHO_WAITS }
}

inline arrive_bound()
{
    d_step { bounds--; tickets++; mine = tickets };
    look_for_older(POOL, mine, NOBODY);
    elders = older;
    d_step { older = false };
    sum_kept(0);
    if
    :: d_step { s < LIMIT && elders -> s = 0 }; wait_for_group()
    :: d_step { s < LIMIT && !elders -> s = 0 }; take_in_turn(mine);
        if
        :: got -> go_in()
        :: else -> wait_for_account()
        fi
    :: d_step { s >= LIMIT -> s = 0 }; wait_for_account()
    fi;
    d_step { mine = 0; elders = false; again = false; FORGET_WHO_WAITS }
}

/* serve_plain: the account's own queue */
inline serve_account()
{
    do
    :: count[0] == 0 -> break
    :: else ->
        look_for_older(0, QUEUE(0, 0), me);
        if
        :: older -> older = false; break
        :: else -> try_take(0)
        fi;
        if
        :: got -> go_in(); pop(0); /* TURN */
#ifndef NOTURNWAKE
            wake_pools_if_room()
#endif
        :: else -> refused = true; break
        fi
    od;
    if
    :: refused -> refused = false
    :: else ->
#ifndef NOBATON
        wake_if_room(0, 0) /* BATON */
#endif
    fi
}

inline pass_to(w)
{
    if
    :: HEAD(POOL, w) > mine && HEAD(POOL, w) < best -> best = HEAD(POOL, w); who = w
    :: else
    fi
}

/* An elder whose process did not try its waiters in this round. */
inline is_elder(w)
{
    if
    :: w != me && HEAD(POOL, w) != 0 && HEAD(POOL, w) < best && HELD(POOL, w) != now ->
        best = HEAD(POOL, w); who = w
    :: else
    fi
}

inline give()
{
    FOR_POOLS(begin_round);
    HELD(ACCOUNT, me) = HELD(ACCOUNT, me) - 1; /* SUB */
    FOR_POOLS(end_round);
    wake_oldest(ACCOUNT); /* GIVEWAKE */
#ifndef NOPOOLWAKE
    FOR_POOLS(wake_oldest)
#endif
}

inline is_giver(w)
{
    if
    :: w != me && GIVING(POOL, w) -> noisy = true
    :: else
    fi
}

/* The round that begins now, and whether somebody is about to give: then what is tried and not had
 * says nothing, and he wakes the oldest when he has given. */
inline begin_pass()
{
    d_step { now = round[POOL]; moved = true; NOTE_WHO_WAITS };
#ifndef NOQUIET
    d_step { is_giver(0) };
    d_step { is_giver(1) }
#if W > 2
    ;
    d_step { is_giver(2) }
#endif
#endif
}

/* It has what became free after the elders had been looked for: theirs. */
inline check_taken()
{
#ifndef NOCHECK
    if
    :: round[POOL] != now ->
        look_for_older(POOL, QUEUE(POOL, 0), me);
        if
        :: d_step { older -> older = false; got = false }; give() /* UNDO */
        :: else
        fi
    :: else
    fi
#else
    skip
#endif
}

/* serve_pool: ours, oldest first, then the process with the next younger head. A pass is begun anew
 * only between gives, so that it needs no bound here. */
inline serve_group()
{
    mine = QUEUE(POOL, 0);
    begin_pass();
    do
    :: count[POOL] == 0 || noisy -> break
    :: else ->
        best = (moved -> QUEUE(POOL, 0) : 0);
        who = NOBODY;
        d_step { is_elder(0) };
        d_step { is_elder(1) };
#if W > 2
        d_step { is_elder(2) };
#endif
        if
        :: who != NOBODY -> deferred = true; break
        :: else -> moved = false; choose(QUEUE(POOL, 0))
        fi;
        if
        :: got -> check_taken()
        :: else
        fi;
        if
        :: got -> go_in_order(QUEUE(POOL, 0)); pop(POOL); moved = true /* TURN */
        :: !got && again -> break
        :: !got && !again && round[POOL] == now -> break
        :: else
        fi;
        if
        :: round[POOL] != now -> begin_pass()
        :: else
        fi
    od;
    if
    :: deferred ->
        deferred = false;
#ifndef NOELDER
        poke() /* ELDER */
#else
        who = 0
#endif
    :: noisy || again -> noisy = false
    :: else ->
        HELD(POOL, me) = now; /* TRIED */
#ifndef NOPASS
        best = NOBODY;
        who = NOBODY;
        d_step { pass_to(0) };
        d_step { pass_to(1) };
#if W > 2
        d_step { pass_to(2) };
#endif
        poke() /* BATON */
#endif
    fi;
    d_step { mine = 0; now = 0; moved = false; again = false; best = 0; who = 0; FORGET_WHO_WAITS }
}

inline leave_account()
{
    pop(0); /* LEAVE */
#ifndef NOLEAVEWAKE
    wake_if_room(0, 0); /* LEAVEWAKE */
#endif
#ifndef NOLEFTWAKE
    wake_pools_if_room()
#endif
}

inline leave_group()
{
    pop(POOL); /* LEAVE */
#ifndef NOLEAVEWAKE
    wake_oldest(POOL) /* LEAVEWAKE */
#endif
}

#define IS_IDLE (bounds == 0 && pools == 0 && count[0] == 0 && count[POOL] == 0 && !IS_RUNG(me))

proctype Worker(byte me)
{
    byte s = 0, best = 0, who = 0, mine = 0, now = 0, bounds, pools, count[GATES];
    byte q[GATES * (REQS + 1)];
    bool got = false, older = false, elders = false, refused = false, ring = false;
    bool moved = false, deferred = false, again = false, noisy = false;
    byte seen[W];
    bounds = (me == 0 -> BOUND_0 : (me == 1 -> BOUND_1 : BOUND_2));
    pools = (me == 0 -> POOL_0 : (me == 1 -> POOL_1 : POOL_2));
born:
    {
        wake_clear(); /* slot_enter */
        do
        :: bounds > 0 -> arrive_bound()
        :: pools > 0 -> arrive_in_group()
        :: d_step { inside[me] > 0 && ends < ENDS ->
#if ENDS < 255
                    ends++;
#endif
                    inside[me] = inside[me] - 1 }; /* a request ends */
            give()
        :: d_step { count[0] > 0 && leaves < LEAVES -> leaves++ }; leave_account()
        :: d_step { count[POOL] > 0 && leaves < LEAVES -> leaves++ }; leave_group()
        :: IS_RUNG(me) -> /* gate_on_wake */
            wake_clear();
            if
            :: count[0] > 0 -> serve_account()
            :: else
            fi;
            if
            :: count[POOL] > 0 -> serve_group()
            :: else
            fi
        :: d_step { IS_IDLE && (inside[me] == 0 || ends == ENDS) -> life[me] = DONE }; break
#if ENDS < 255
        :: count[0] + count[POOL] > 0 && ends == ENDS && IS_FULL -> break /* waits with good reason */
#endif
        od
    }
    unless
    {
        life[me] == DYING
    };
    if
    :: d_step { life[me] == DYING ->
            life[me] = GONE;
            s = 0; best = 0; who = 0; mine = 0; got = false; older = false; elders = false;
            refused = false; ring = false; now = 0; moved = false; deferred = false;
            again = false; noisy = false; FORGET_WHO_WAITS;
            count[0] = 0; count[POOL] = 0;
            QUEUE(0, 0) = 0; QUEUE(0, 1) = 0; QUEUE(POOL, 0) = 0; QUEUE(POOL, 1) = 0;
#if REQS > 1
            QUEUE(0, 2) = 0; QUEUE(POOL, 2) = 0;
#endif
            bounds = 0;
            pools = COMEBACKS };
#if COMEBACKS > 0
        d_step { life[me] == READY -> life[me] = ALIVE };
        goto born /* another process in the same slot */
#endif
    :: else
    fi
}

#define DIE(w) d_step { life[w] == ALIVE -> k = w; life[w] = DYING; inside[w] = 0 }

/* Master and recorder: a worker may die at any step; then its words are cleared and all are woken. */
active proctype Master()
{
    byte k = 0, n = 0, crashes = 0;
    bool ring = false;
    run Worker(0);
    run Worker(1);
#if W > 2
    run Worker(2);
#endif
end:
    do
    :: crashes < CRASHES ->
        if
        :: DIE(0)
        :: DIE(1)
#if W > 2
        :: DIE(2)
#endif
        :: break
        fi;
        d_step { life[k] == GONE -> crashes++ };
        n = 0;
        do
        :: n < GATES && IS_POOL(n) ->
            GIVING(n, k) = true;
            HEAD(n, k) = 0;          /* CLEAR */
            round[n] = round[n] + 1; /* ROUND */
            n++
        :: n < GATES && !IS_POOL(n) -> n++
        :: n == GATES -> break
        od;
        n = 0;
        do
        :: n < GATES && !IS_POOL(n) ->
            HEAD(n, k) = 0; /* CLEAR */
            d_step { HELD(n, k) = 0; SET_TRYING(n, k, false); n++ }
        :: n < GATES && IS_POOL(n) -> n++
        :: n == GATES -> break
        od;
        n = 0;
        do
        :: n < GATES && IS_POOL(n) -> d_step { HELD(n, k) = 0; GIVING(n, k) = false; n++ }
        :: n < GATES && !IS_POOL(n) -> n++
        :: n == GATES -> break
        od;
        wake_all();
#if COMEBACKS > 0
        life[k] = READY;
#endif
    :: true -> break
    od
}
