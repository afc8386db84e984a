/*
 * gate.pml - a plain gate (a user's, a key's, a group's own) of shm/gate.c: W workers, each an event
 * loop with up to REQS requests, one limit, deaths anywhere, and workers that come back in the
 * place of the dead. Steps have the names of the comments in gate.c.
 *
 *   spin -DREQS=2 -a gate.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m300000
 *
 * Checked: never more inside than LIMIT (assert); nobody waits for ever, and with ENDS nobody waits
 * while there is room (no invalid end state: a worker with a waiter and no wake on its way has
 * nowhere to go). run.sh has the sizes, and the mutants that must fail: NOSECOND, NOBACKWAKE,
 * NOBATON, NOGIVEWAKE, NOLEAVEWAKE, NOSWEEPWAKE; with BELLS, where flag and eventfd are two words:
 * FLAGFIRST, POLITE, NOFIRSTLOOK.
 *
 * Differs from the code: time is a ticket; a newcomer that collides tries once, not up to
 * GATE_TRIES times, and does not wake itself after that (AGAIN): both only lose wakes, and this
 * gate needs neither. Accounts and pools: pool.pml.
 */
#ifndef REQS
#define REQS 2
#endif
#ifndef REQS_0 /* of worker 0, when it has fewer than the others */
#define REQS_0 REQS
#endif
#define GATES 1
#include "words.pml"

byte inside[W]; /* requests that were let in */
#if W > 2
#define INSIDE (inside[0] + inside[1] + inside[2])
#else
#define INSIDE (inside[0] + inside[1])
#endif

inline go_in()
{
    d_step {
        got = false;
        inside[me] = inside[me] + 1;
        assert(INSIDE <= LIMIT)
    }
}

inline arrive()
{
    d_step { fresh--; tickets++; mine = tickets };
    look_for_older(0, mine, NOBODY);
    if
    :: !older -> try_take(0)
    :: else -> older = false
    fi;
    if
    :: got -> go_in()
    :: else -> /* gate_wait */
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
            wake_if_room(0, 0) /* BATON */
#endif
        :: else
        fi
#endif
    fi;
    mine = 0
}

/* gate_on_wake */
inline serve()
{
    wake_clear();
    do
    :: count[0] == 0 -> break
    :: else ->
        look_for_older(0, q[0], me);
        if
        :: older -> older = false; break
        :: else -> try_take(0)
        fi;
        if
        :: got -> go_in(); pop(0) /* TURN */
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

proctype Worker(byte me)
{
    byte s = 0, best = 0, who = 0, mine = 0, fresh, count[GATES];
    byte q[GATES * (REQS + 1)];
    bool got = false, older = false, refused = false, ring = false;
    fresh = (me == 0 -> REQS_0 : REQS);
born:
    {
#ifndef NOFIRSTLOOK
        wake_clear(); /* slot_enter */
#endif
        do
        :: fresh > 0 -> arrive() /* a request arrives */
        :: d_step { inside[me] > 0 && ends < ENDS ->
#if ENDS < 255
                    ends++;
#endif
                    inside[me] = inside[me] - 1 }; /* a request ends */
            HELD(0, me) = HELD(0, me) - 1; /* SUB */
#ifndef NOGIVEWAKE
            wake_oldest(0) /* GIVEWAKE */
#endif
        :: d_step { count[0] > 0 && leaves < LEAVES -> leaves++ }; /* our oldest loses patience */
            pop(0); /* LEAVE */
#ifndef NOLEAVEWAKE
            wake_if_room(0, 0) /* LEAVEWAKE */
#endif
        :: IS_RUNG(me) -> serve()
        :: d_step { fresh == 0 && count[0] == 0 && !IS_RUNG(me) && (inside[me] == 0 || ends == ENDS) ->
                    life[me] = DONE }; break
#if ENDS < 255
        :: count[0] > 0 && ends == ENDS && INSIDE >= LIMIT -> break /* waits with good reason */
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
            s = 0; best = 0; who = 0; mine = 0; count[0] = 0; got = false; older = false;
            refused = false; ring = false;
            q[0] = 0; q[1] = 0;
#if REQS > 1
            q[2] = 0;
#endif
#if REQS > 2
            q[3] = 0;
#endif
            fresh = COMEBACKS };
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
        HEAD(0, k) = 0; /* CLEAR */
        HELD(0, k) = 0;
#ifndef NOSWEEPWAKE
        wake_all();
#endif
#if COMEBACKS > 0
        life[k] = READY;
#endif
    :: true -> break
    od
}
