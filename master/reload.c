#include "master/reload.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/setting.h"
#include "http/tls.h"

_Static_assert(RELOAD_WHY_BYTES > sizeof(struct setting_error) + 50, "an error and its context");

uint32_t
reload_worker_count(const struct config *config)
{
    if (config->master.workers != 0) {
        return config->master.workers < WORKERS_MAX ? config->master.workers : WORKERS_MAX;
    }
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1;
    }
    int cores = CPU_COUNT(&set);
    return cores < 1 ? 1 : cores < (int)WORKERS_MAX ? (uint32_t)cores : WORKERS_MAX;
}

static enum err
check_frozen(const struct process_ground *ground, const struct reload *reload,
             char why[RELOAD_WHY_BYTES])
{
    const char *section = NULL;
    const struct setting *row = setting_find_frozen(config_sections(), CONFIG_SECTIONS,
                                                    ground->config, reload->config, &section);
    if (row != NULL) {
        snprintf(why, RELOAD_WHY_BYTES, "[%s] %s cannot change while running: restart for it",
                 section, row->key);
        return ERR_DENIED;
    }
    /* Two generations must fit side by side, with recorder and keeper. */
    if (2 * reload->worker_count + 4 > ground->segment.slots) {
        snprintf(why, RELOAD_WHY_BYTES,
                 "[master] workers: %u are more than the shared segment was sized for at start: "
                 "restart for it",
                 reload->worker_count);
        return ERR_DENIED;
    }
    return ERR_OK;
}

enum err
reload_prepare(const struct process_ground *ground, const struct reload_source *source,
               struct reload *out, char why[RELOAD_WHY_BYTES])
{
    *out = (struct reload){ 0 };
    out->config = malloc(sizeof(*out->config));
    if (out->config == NULL) {
        snprintf(why, RELOAD_WHY_BYTES, "no memory");
        return ERR_IO;
    }
    struct setting_error error;
    enum err err = config_load(source->file, source->sets, source->set_count, out->config, &error);
    if (err != ERR_OK) {
        snprintf(why, RELOAD_WHY_BYTES, "%s", error.text);
        goto out_config;
    }
    out->worker_count = reload_worker_count(out->config);
    err = check_frozen(ground, out, why);
    if (err != ERR_OK) {
        goto out_config;
    }
    err = tls_roots_load(out->config->upstream.ca_file, &out->roots, why);
    if (err != ERR_OK) {
        goto out_config;
    }
    err = sockets_open(&out->sockets, &out->config->http, out->worker_count, &ground->sockets, why);
    if (err != ERR_OK) {
        goto out_roots;
    }
    return ERR_OK;

out_roots:
    tls_roots_free(out->roots);
out_config:
    free(out->config);
    *out = (struct reload){ 0 };
    return err;
}

void
reload_commit(struct process_ground *ground, struct reload *reload)
{
    CHECK(reload->config != NULL && reload->worker_count > 0);
    sockets_close(&ground->sockets, &reload->sockets);
    tls_roots_free(ground->roots);
    free(ground->config);
    ground->config = reload->config;
    ground->roots = reload->roots;
    ground->sockets = reload->sockets;
    ground->worker_count = reload->worker_count;
    ground->generation++;
}
