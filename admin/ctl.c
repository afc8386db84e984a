/*
 * ctl.c - sub2apictl: the admin's command line over the UNIX socket. What it can do stands in
 * nouns.h; how it is done in errand.h, with the exit codes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/nouns.h"

static const struct errand_noun *const nouns[] = {
#define NOUNS_POINTER(noun) &noun,
    NOUNS_ROWS(NOUNS_POINTER)
#undef NOUNS_POINTER
        NULL
};

static void
print_usage(FILE *to)
{
    fputs("usage: sub2apictl [-s SOCKET] [--json] NOUN [VERB] [ARGUMENT] [--OPTION VALUE]...\n\n",
          to);
    errand_help(nouns, to);
    fputs("\n"
          "  -s, --socket SOCKET   the gateway's admin socket (default: $SUB2API_SOCKET "
          "or " ERRAND_SOCKET ")\n"
          "  --json                print the gateway's JSON\n"
          "  sub2apictl NOUN --help lists its verbs and options; the manual is sub2apictl(1)\n",
          to);
}

/* --json may stand anywhere: it is taken out here. */
static void
take_json_flag(struct errand *errand)
{
    int to = 1;
    for (int from = 1; from < errand->argc; from++) {
        if (strcmp(errand->argv[from], "--json") == 0) {
            errand->wants_json = true;
        } else {
            errand->argv[to++] = errand->argv[from];
        }
    }
    errand->argc = to;
}

int
main(int argc, char **argv)
{
    const char *standard = getenv("SUB2API_SOCKET");
    struct errand errand = { .socket =
                                 standard != NULL && standard[0] != '\0' ? standard : ERRAND_SOCKET,
                             .argc = argc,
                             .argv = argv,
                             .at = 1 };
    signal(SIGPIPE, SIG_IGN);
    take_json_flag(&errand);
    while (errand.at < errand.argc && errand.argv[errand.at][0] == '-') {
        const char *arg = errand.argv[errand.at++];
        if ((strcmp(arg, "-s") == 0 || strcmp(arg, "--socket") == 0) && errand.at < errand.argc) {
            errand.socket = errand.argv[errand.at++];
        } else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) {
            print_usage(stdout);
            return ERRAND_DONE;
        } else {
            return errand_misuse("unknown option ", arg);
        }
    }
    if (errand.at >= errand.argc) {
        print_usage(stderr);
        return ERRAND_MISUSE;
    }
    return errand_run(&errand, nouns);
}
