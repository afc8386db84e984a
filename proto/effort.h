/*
 * effort.h - how hard a model shall think: levels and budgets, and what the target has of them.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_EFFORT_H
#define PROTO_EFFORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "proto/hub.h"

/* "none", "minimal", "low", "medium", "high", "xhigh", "max"; UNSET for anything else. */
enum hub_effort effort_parse(struct str word);
/* The word; OFF is "none"; NULL for UNSET and AUTO. Static. */
const char *effort_name(enum hub_effort effort);
/* The level that a budget means (0: OFF, ... above 24576: XHIGH). */
enum hub_effort effort_of_budget(uint64_t tokens);
/* The budget of a level; 0 for OFF, UNSET, AUTO; `model_max` for MAX. */
uint64_t effort_budget(enum hub_effort effort, uint64_t model_max);
/* The nearest level the mask (bits 1 << effort) has, downwards first for levels above it:
 * max -> xhigh -> high, minimal -> low, off -> minimal; UNSET when nothing fits. */
enum hub_effort effort_degrade(enum hub_effort effort, uint32_t mask);

/* A group's "asked=sent" pairs, comma separated. What the map makes of a level; itself when it does
 * not say. A level that is not a word's (UNSET, AUTO) stays. */
enum hub_effort effort_mapped(struct str map, enum hub_effort effort);
/* Are both sides of every pair words of effort_parse()? */
bool effort_map_is_good(struct str map);

#endif
