/*
 * playworld.h - what a group of scenario tests runs against: the gateway, the fake, their
 * directory. The tests use play.h; these three are the runner's.
 *
 * Runs in: a group's process of build/asan/tests/scenario/run.
 */
#ifndef TESTS_SCENARIO_PLAYWORLD_H
#define TESTS_SCENARIO_PLAYWORLD_H

#include "tests/scenario/play.h"

void playworld_start(const struct play_group *group);
void playworld_stop(void);

/* Closes what the test left open and starts the gateway again when the test killed it. */
void playworld_after_test(void);

#endif
