/*
 * flaw.h - why a TLS handshake was refused, as a sentence for a log line and an account test.
 *
 * Runs in: worker, keeper. Pure.
 */
#ifndef HTTP_FLAW_H
#define HTTP_FLAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All that is wrong with a certificate at once. `flags` are the library's verify result. */
void flaw_certificate(uint32_t flags, bool is_self_signed, char *out, size_t out_bytes);

/* "handshake failed: alert 40 (no version or cipher in common)" */
void flaw_alert(unsigned alert, char *out, size_t out_bytes);

#endif
