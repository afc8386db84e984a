/*
 * err.h - result codes that must be checked.
 *
 * A function that may fail returns enum err and is marked MUST_CHECK; `void` cannot fail and
 * `bool` asks a question. Codes are few on purpose: details go to the log where they are known,
 * the code travels up, and only worker/reply.c turns codes into HTTP. errno never leaves
 * base/sys.c.
 *
 * Runs in: every process.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

/* X(name, text): the enum, err_text() and the tests come from these rows. */
#define ERR_ROWS(X)                                        \
    X(OK, "ok")                                            \
    X(AGAIN, "would block: try again when told")           \
    X(FULL, "a bound from limits.h or the ini is reached") \
    X(EOF, "the peer ended its side in good order")        \
    X(TIMEOUT, "a deadline passed")                        \
    X(REFUSED, "the peer or the network refused")          \
    X(BAD, "the peer or the input broke a rule")           \
    X(DENIED, "not allowed")                               \
    X(GONE, "not there (any more)")                        \
    X(IO, "the operating system or a library failed")      \
    X(BUG, "our own invariant does not hold")

enum err {
#define ERR_ENUM(name, text) ERR_##name,
    ERR_ROWS(ERR_ENUM)
#undef ERR_ENUM
};

/* The text of a code, static; never NULL. */
const char *err_text(enum err err);

/* The name of a code in lower case ("timeout"), static; never NULL. For logs and JSON. */
const char *err_name(enum err err);

#endif
