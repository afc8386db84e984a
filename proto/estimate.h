/*
 * estimate.h - how many tokens a text has, about.
 *
 * ASCII counts 4 bytes a token, any other character 1.5 tokens, whatever the model: good enough to
 * refuse what is far too large and to bill what no provider counted. JSON's own signs count, since
 * models are fed much of them too. About 512 bytes or more without a blank, quote or backslash are
 * taken for base64 (images, files) and not counted.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_ESTIMATE_H
#define PROTO_ESTIMATE_H

#include <stdint.h>

#include "base/json.h"
#include "base/str.h"

uint64_t estimate_tokens(struct str text);

/* The same of a JSON text of `bytes` that was weighed while it was scanned: no second pass. Data is
 * then what stands in one string, in whole pieces of JSON_DATA_BYTES. */
uint64_t estimate_weighed(uint64_t bytes, const struct json_weight *weight);

/* The same in quarters of a token, so that many short texts can be added up without rounding. */
uint64_t estimate_quarters(struct str text);

#endif
