#include "upstream/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "shm/heritage.h"

static enum err
make_config(struct reach *reach, const struct tls_roots *roots, bool is_insecure,
            struct tls_config **out)
{
    struct tls_config_want want = { .roots = roots,
                                    .is_insecure = is_insecure,
                                    .version_max = reach->conf->tls_version_max };
    return tls_config_make(&want, out);
}

enum err
reach_make(struct loop *loop, const struct heritage *heritage, uint32_t clients_max,
           struct reach **out)
{
    CHECK(heritage->segment != NULL && heritage->upstream != NULL);
    struct reach *reach = calloc(1, sizeof *reach);
    if (reach == NULL) {
        return ERR_FULL;
    }
    reach->loop = loop;
    reach->heritage = heritage;
    reach->segment = heritage->segment;
    reach->slot = heritage->slot;
    reach->conf = heritage->upstream;
    enum err err = origin_make(loop, reach->conf->pool_idle_ms, reach->conf->pool_per_account,
                               clients_max, &reach->origins);
    if (err == ERR_OK) {
        err = make_config(reach, heritage->roots, false, &reach->verified);
    }
    if (err == ERR_OK) {
        err = make_config(reach, heritage->roots, true, &reach->insecure);
    }
    if (err != ERR_OK) {
        reach_free(reach);
        return err;
    }
    *out = reach;
    return ERR_OK;
}

void
reach_free(struct reach *reach)
{
    if (reach == NULL) {
        return;
    }
    origin_free(reach->origins);
    for (uint32_t i = 0; i < reach->authority_count; i++) {
        tls_config_free(reach->authorities[i].config);
        tls_roots_free(reach->authorities[i].roots);
    }
    tls_config_free(reach->verified);
    tls_config_free(reach->insecure);
    free(reach);
}

static enum err
load_authority(struct reach *reach, const char *file, struct tls_config **out,
               char why[TLS_WHY_BYTES])
{
    if (reach->authority_count == REACH_CA_FILES_MAX) {
        str_copy(why, TLS_WHY_BYTES, STR("too many different --tls-ca-file values"));
        return ERR_BAD;
    }
    struct reach_authority *authority = &reach->authorities[reach->authority_count];
    if (tls_roots_load(file, &authority->roots, why) != ERR_OK) {
        return ERR_BAD;
    }
    if (make_config(reach, authority->roots, false, &authority->config) != ERR_OK) {
        tls_roots_free(authority->roots);
        str_copy(why, TLS_WHY_BYTES, STR("TLS settings could not be made"));
        return ERR_BAD;
    }
    str_copy(authority->file, sizeof authority->file, str_of(file));
    reach->authority_count++;
    *out = authority->config;
    return ERR_OK;
}

enum err
reach_tls_config(struct reach *reach, const struct target *target, struct tls_config **out,
                 char why[TLS_WHY_BYTES])
{
    CHECK(target->is_tls);
    if (target->is_insecure) {
        *out = reach->insecure;
        return ERR_OK;
    }
    if (target->ca_file[0] == '\0') {
        *out = reach->verified;
        return ERR_OK;
    }
    for (uint32_t i = 0; i < reach->authority_count; i++) {
        if (strcmp(reach->authorities[i].file, target->ca_file) == 0) {
            *out = reach->authorities[i].config;
            return ERR_OK;
        }
    }
    return load_authority(reach, target->ca_file, out, why);
}
