/*
 * respextra.h - output items of a Responses answer that are there at once: images, searches,
 * compactions.
 *
 * Only respline.c and respwrite.c include this. Runs in: worker.
 */
#ifndef PROTO_RESPEXTRA_H
#define PROTO_RESPEXTRA_H

#include "base/err.h"
#include "proto/respline.h"

/* An image that the model made; nothing for other media. */
MUST_CHECK enum err respextra_image(struct respline *line, const struct hub_media *media);
/* A search of the web; nothing for other tools of the provider. */
MUST_CHECK enum err respextra_search(struct respline *line, const struct hub_server *server);
/* The one item of a compaction: the summary, opaque to the client. */
MUST_CHECK enum err respextra_compaction(struct respline *line, struct str summary);

#endif
