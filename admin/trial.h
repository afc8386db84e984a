/*
 * trial.h - account tests: the admin's request waits, the keeper does the work.
 *
 * A test is handed to the keeper through a job cell of the segment (shm/job.h) and its answer is
 * passed on when the keeper has finished, or at the deadline, or when the keeper died.
 *
 * Runs in: recorder.
 */
#ifndef ADMIN_TRIAL_H
#define ADMIN_TRIAL_H

#include <stdint.h>

#include "base/str.h"

struct recorder;
struct server_request;

/* Answers `request` when the test has ended (or at once when it cannot begin). `options`: the
 * admin's JSON object, e.g. {"model":"gpt-4o-mini"}. */
void trial_start(struct recorder *recorder, struct server_request *request, uint64_t account_id,
                 struct str options);

/* Some job may be done: answers who waits for it. */
void trial_look(struct recorder *recorder);

/* At the recorder's start: what the last recorder had asked for is dropped. */
void trial_reborn(struct recorder *recorder);

#endif
