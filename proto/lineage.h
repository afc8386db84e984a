/*
 * lineage.h - what is known of a model by its name.
 *
 * Providers refuse what a model of theirs cannot do: sampling or stop sequences of a reasoning
 * model, an effort of one that does not reason, a thinking budget where models think as they like,
 * an unsigned call of Gemini's third family. The names of OpenAI, Anthropic and Google say which
 * model it is; of a name that says nothing the dialect's defaults stay, and for chat those of a
 * compatible provider. An account's own `caps` are applied after this and win.
 *
 * Runs in: worker, keeper. Pure: nothing to repair.
 */
#ifndef PROTO_LINEAGE_H
#define PROTO_LINEAGE_H

#include "base/str.h"
#include "proto/caps.h"
#include "proto/dialect.h"

/* `caps` holds the dialect's defaults; `model` is the name the provider gets. */
void lineage_apply(struct caps *caps, enum dialect dialect, struct str model);

#endif
