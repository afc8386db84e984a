/*
 * fault.h - named points at which a test makes a process die or dawdle.
 *
 * FAULT("gate.after_publish") compiles to nothing unless -DFAULTS_ON. With it, the environment says
 * what happens, read once a process:
 *
 *      SUB2API_FAULT="name[:nth]=abort|kill|sleepMS|fail[@FILE][,more]"
 *
 * At the nth passage (1 unless said) the process aborts, is killed by SIGKILL, or sleeps; with
 * `fail`, `if (FAULT_FAILS("kv.commit"))` is true there. With a file it happens at every passage as
 * long as that file exists, so that a test may begin and end it in running processes. A name is
 * "file.step". fault_set() does the same without the environment, for unit tests that fork.
 *
 * Runs in: every process of a test build.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

#ifdef FAULTS_ON
#define FAULT(name) ((void)fault_fails(name))
#define FAULT_FAILS(name) fault_fails(name)
bool fault_fails(const char *name);
/* Replaces what the environment said; NULL or "": nothing. The text is copied. */
void fault_set(const char *spec);
#else
#define FAULT(name) ((void)0)
#define FAULT_FAILS(name) false
#endif

#endif
