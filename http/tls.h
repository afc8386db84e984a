/*
 * tls.h - TLS as a client: the one file that knows mbedTLS ssl and x509. Builds with 2.28 and 3.6.
 *
 * Certificates are verified against the roots (or an account's own CA file) unless the account says
 * tls_insecure; the host name is always set and checked; TLS 1.2 is the least, 1.3 where the
 * library has it; ECDHE with AEAD only; random numbers come from base/rand.h (a generator seeded
 * before a fork repeats itself). Sessions are saved as bytes so that all workers can resume them.
 *
 * Runs in: worker, keeper (connections, opened after fork); master (tls_roots_load before fork).
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

struct tls;
struct tls_config; /* one for each set of verification settings in a process */
struct tls_roots;  /* parsed authorities; made before fork and shared by the children's memory */

#define TLS_WHY_BYTES 160

/* NULL or "" = the system's bundle. `why` names the file and the reason. */
MUST_CHECK enum err
tls_roots_load(const char *file, struct tls_roots **out, char why[TLS_WHY_BYTES]);
void tls_roots_free(struct tls_roots *roots);
uint32_t tls_roots_count(const struct tls_roots *roots);

struct tls_config_want {
    const struct tls_roots *roots; /* must live as long as the config */
    bool is_insecure;              /* accept any certificate: an operator's explicit wish */
    uint32_t version_max;          /* 0: 1.2, 1: 1.3 */
};
/* After fork. */
MUST_CHECK enum err tls_config_make(const struct tls_config_want *want, struct tls_config **out);
void tls_config_free(struct tls_config *config);

/*
 * A connection's state (about 40 KB inside the library). `host` is checked against the certificate
 * and sent as SNI (an IP address is checked, not sent). `session`: bytes from tls_session_save, or
 * empty; bytes that do not load are ignored (full handshake).
 */
MUST_CHECK enum err
tls_make(struct tls_config *config, struct str host, struct str session, struct tls **out);
void tls_free(struct tls *tls);

/*
 * One step of the handshake on a nonblocking descriptor, so that a loop can serve others between
 * steps: one that is dear, or some cheap ones. ERR_OK without *is_done: call again, best in the
 * next turn. ERR_AGAIN: wait for the descriptor. ERR_BAD: refused, why says it ("certificate is not
 * for this name", "handshake failed: alert 40 (no version or cipher in common)"). ERR_GONE: it was
 * cut.
 */
MUST_CHECK enum err tls_step(struct tls *tls, int fd, bool *is_done);
const char *tls_why(const struct tls *tls);
bool tls_was_resumed(const struct tls *tls);
const char *tls_version_text(const struct tls *tls); /* "TLS 1.2" */

/* As conn_read and conn_sendv. ERR_EOF only after close_notify; ERR_GONE without it. */
MUST_CHECK enum err tls_read(struct tls *tls, int fd, void *to, size_t bytes, size_t *out_got);
MUST_CHECK enum err
tls_sendv(struct tls *tls, int fd, const struct iovec *parts, int part_count, size_t *out_sent);
/* The loop told of bytes (ended: of the peer's FIN): a read may ask the kernel again. Without such
 * a call a read that brought less than it asked for is not followed by a read that brings nothing.
 */
void tls_note_readable(struct tls *tls, bool ended);
/* Decrypted bytes that wait inside: epoll will not tell of them. */
bool tls_has_pending(const struct tls *tls);
/* Best effort close_notify. */
void tls_end(struct tls *tls, int fd);

/* The session for a later connection; ERR_AGAIN: none yet (1.3 sends it after the handshake),
 * ERR_FULL: larger than TLS_SESSION_BYTES_MAX. */
MUST_CHECK enum err
tls_session_save(struct tls *tls, uint8_t out[TLS_SESSION_BYTES_MAX], size_t *out_bytes);

#endif
