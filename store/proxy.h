/*
 * proxy.h - the password in the URL of an account's proxy: sealed in the record, opened in a view.
 *
 * A record has the URL with *** in the password's place, as people see it, and beside it the
 * password sealed under a context of its own (proxy:ID), so that it opens neither in another record
 * nor as a credential. Who writes a URL with *** keeps the password that is there.
 *
 * Runs in: recorder and master (sealing), workers and keeper (opening). Pure.
 */
#ifndef STORE_PROXY_H
#define STORE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/model.h"
#include "store/secret.h"

/* Is there a password in the URL that is not sealed yet? */
bool proxy_is_bare(const struct account *account);

/*
 * Brings URL and sealed bytes in line: a bare password is sealed, one that was taken out is
 * forgotten, *** stays. The account has an id. ERR_BAD: the URL has no room for the ***.
 */
MUST_CHECK enum err proxy_seal(const struct secret *secret, struct account *account);

/* Length of the sealed password; 0 = there is none. */
size_t proxy_password_bytes(const struct account *account);
/* `out` has proxy_password_bytes(). ERR_BAD: sealed for another record, with another key, or
 * changed. */
MUST_CHECK enum err
proxy_open(const struct secret *secret, const struct account *account, uint8_t *out);

#endif
