#include "master/config.h"

#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/ini.h"
#include "base/limits.h"
#include "base/sys.h"

/* Which folder's rows stand in which section. Filled when asked: the counts are no constants here.
 */
static struct setting_section sections[CONFIG_SECTIONS];

const struct setting_section *
config_sections(void)
{
    const struct setting_section all[CONFIG_SECTIONS] = {
        { "master", masterconf_rows, masterconf_row_count, offsetof(struct config, master),
          "The parent process, which starts and watches all others." },
        { "http", httpconf_rows, httpconf_row_count, offsetof(struct config, http),
          "What clients connect to, and the limits of a connection." },
        { "worker", workerconf_rows, workerconf_row_count, offsetof(struct config, worker),
          "How requests are admitted, queued and ended." },
        { "upstream", upconf_rows, upconf_row_count, offsetof(struct config, upstream),
          "How providers are reached." },
        { "shm", shmconf_rows, shmconf_row_count, offsetof(struct config, shm),
          "The memory that all processes share; sized once, at start." },
        { "store", storeconf_rows, storeconf_row_count, offsetof(struct config, store),
          "What survives a restart." },
        { "admin", adminconf_rows, adminconf_row_count, offsetof(struct config, admin),
          "The socket that sub2apictl speaks to, and the upkeep of accounts." },
    };
    memcpy(sections, all, sizeof(all));
    return sections;
}

/* One ini text being applied. */
struct reading {
    struct config *config;
    const char *file;
    struct setting_error *error;
};

static enum err
apply_line(void *context, uint32_t line, struct str section, struct str key, struct str value)
{
    struct reading *reading = context;
    char where[CONFIG_WHERE_BYTES];
    snprintf(where, sizeof(where), "%s:%u", reading->file, line);
    return setting_apply(config_sections(), CONFIG_SECTIONS, reading->config, section, key, value,
                         where, reading->error);
}

static enum err
apply_file(const char *file, struct config *config, struct setting_error *error)
{
    struct arena arena;
    arena_init(&arena, INI_FILE_BYTES_MAX + ARENA_BLOCK_BYTES);
    struct str text;
    enum err err = sys_read_file(file, INI_FILE_BYTES_MAX, &arena, &text);
    if (err != ERR_OK) {
        snprintf(error->text, sizeof(error->text), "%s: %s", file,
                 err == ERR_FULL ? "larger than any configuration should be" : sys_why());
        arena_reset(&arena);
        return err == ERR_GONE ? ERR_GONE : ERR_BAD;
    }
    struct reading reading = { config, file, error };
    uint32_t line = 0;
    const char *reason = NULL;
    error->text[0] = '\0';
    err = ini_read(text, apply_line, &reading, &line, &reason);
    /* What setting_apply refused has its sentence already; this is text that is no ini at all. */
    if (err != ERR_OK && error->text[0] == '\0') {
        snprintf(error->text, sizeof(error->text), "%s:%u: %s", file, line,
                 reason == NULL ? err_text(err) : reason);
    }
    arena_reset(&arena);
    return err == ERR_OK ? ERR_OK : ERR_BAD;
}

static enum err
apply_set(const char *text, struct config *config, struct setting_error *error)
{
    struct str rest = str_of(text);
    struct str name = str_trim(str_cut(&rest, '='));
    struct str section = str_cut(&name, '.');
    if (memchr(text, '=', strlen(text)) == NULL || section.len == 0 || name.len == 0) {
        snprintf(error->text, sizeof(error->text),
                 "--set %.200s: write it as section.key=value, for example --set master.workers=2",
                 text);
        return ERR_BAD;
    }
    return setting_apply(config_sections(), CONFIG_SECTIONS, config, section, name, str_trim(rest),
                         "--set", error);
}

/* Settings whose standard value depends on another one. */
static enum err
derive(struct config *config, struct setting_error *error)
{
    if (config->admin.socket[0] != '\0') {
        return ERR_OK;
    }
    int length = snprintf(config->admin.socket, sizeof config->admin.socket, "%s/admin.sock",
                          config->store.dir);
    if (length > 0 && (size_t)length < sizeof config->admin.socket) {
        return ERR_OK;
    }
    snprintf(error->text, sizeof error->text,
             "[admin] socket: %s/admin.sock is too long for a UNIX socket; name a shorter path",
             config->store.dir);
    return ERR_BAD;
}

enum err
config_load(const char *file, char *const *sets, int set_count, struct config *out,
            struct setting_error *error)
{
    error->text[0] = '\0';
    memset(out, 0, sizeof(*out));
    setting_defaults(config_sections(), CONFIG_SECTIONS, out);
    if (file != NULL) {
        enum err err = apply_file(file, out, error);
        if (err != ERR_OK) {
            return err;
        }
    }
    for (int i = 0; i < set_count; i++) {
        enum err err = apply_set(sets[i], out, error);
        if (err != ERR_OK) {
            return err;
        }
    }
    return derive(out, error);
}
