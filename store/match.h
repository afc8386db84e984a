/*
 * match.h - the shapes of what an operator writes: names, comma lists, globs, CIDRs, mappings,
 * URLs.
 *
 * The same functions check a record before it is stored and decide about a request, so that what
 * was accepted is what is obeyed. Lists are comma separated; blanks around an item and empty items
 * do not count. Everything compares bytes and is case sensitive, as model names are.
 *
 * Runs in: every process. Pure functions: no memory, no state; all input may be hostile and every
 * loop is bounded by the lengths given (a glob costs at most pattern times text).
 */
#ifndef STORE_MATCH_H
#define STORE_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* 1..63 of A-Z a-z 0-9 . _ - @ */
bool match_name_is_good(struct str name);

/* Cuts the next item off a comma list; false at its end. `rest` starts as the whole list. */
bool match_next(struct str *rest, struct str *out_item);

/* Is `word` exactly one of the items? */
bool match_list_has(const char *comma_list, struct str word);

/* '*' is any run of bytes, '?' any one byte. */
bool match_glob(struct str pattern, struct str text);
/* An empty list matches everything. */
bool match_globs(const char *comma_list, struct str text);

/* Is this one item of an address list: an IPv4 or IPv6 address, or a network with its length? */
bool match_network_is_good(struct str item);
/* `address` as text; IPv4 in IPv6 (::ffff:1.2.3.4) counts as IPv4. An empty list matches
 * everything; a text that is no address matches nothing else. */
bool match_addresses(const char *comma_list, struct str address);

/* The name to send upstream: the exact row first, then the longest matching glob, else `asked`.
 * Points into `model_map` or is `asked`. */
struct str match_mapped(const char *model_map, struct str asked);

/* A URL's parts, pointing into it. Only what has a host: scheme://[userinfo@]host[:port][path]. */
struct match_url {
    struct str scheme;
    struct str userinfo; /* data NULL: there is no '@' */
    struct str host;     /* without the brackets of an IPv6 address */
    uint32_t port;       /* 1..65535; 0 = not written */
    struct str path;     /* with its '/'; up to '?' or '#' */
    struct str rest;     /* from '?' or '#' on */
};

/* false: no such URL (or blanks, control bytes, a bad host or port in it). */
bool match_url(struct str url, struct match_url *out);

#endif
