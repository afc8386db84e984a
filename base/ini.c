/*
 * ini.c - one line at a time, spans of the caller's text, nothing copied.
 */
#include "base/ini.h"

#include "base/limits.h"

struct reader {
    struct str section;
    const char *reason;
};

/* A section name and a key are words: letters, digits, _ - and dot. */
static bool
is_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = str_lower(s.data[i]);
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_letter && c != '_' && c != '-' && c != '.') {
            return false;
        }
    }
    return s.len > 0;
}

static enum err
read_section(struct reader *reader, struct str line)
{
    struct str name = str_skip(line, 1);
    if (!str_ends(name, STR("]"))) {
        reader->reason = "a section line must end with ]";
        return ERR_BAD;
    }
    name.len--;
    name = str_trim(name);
    if (!is_word(name)) {
        reader->reason = "a section name is made of letters, digits, _ - and .";
        return ERR_BAD;
    }
    reader->section = name;
    return ERR_OK;
}

static enum err
split_line(struct reader *reader, struct str line, struct str *key, struct str *value)
{
    if (memchr(line.data, '=', line.len) == NULL) {
        reader->reason = "neither [section], key = value, nor a comment";
        return ERR_BAD;
    }
    *value = line;
    *key = str_trim(str_cut(value, '='));
    *value = str_trim(*value);
    if (!is_word(*key)) {
        reader->reason = "a key is made of letters, digits, _ - and .";
        return ERR_BAD;
    }
    if (reader->section.len == 0) {
        reader->reason = "a key before the first [section]";
        return ERR_BAD;
    }
    return ERR_OK;
}

static bool
has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static enum err
read_line(struct reader *reader, struct str line, uint32_t number, ini_line_fn on_line,
          void *context)
{
    if (str_ends(line, STR("\r"))) {
        line.len--;
    }
    line = str_trim(line);
    if (has_control(line)) {
        reader->reason = "a control character";
        return ERR_BAD;
    }
    if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';') {
        return ERR_OK;
    }
    if (line.data[0] == '[') {
        return read_section(reader, line);
    }
    struct str key;
    struct str value;
    enum err err = split_line(reader, line, &key, &value);
    if (err != ERR_OK) {
        return err;
    }
    return on_line(context, number, reader->section, key, value);
}

enum err
ini_read(struct str text, ini_line_fn on_line, void *context, uint32_t *bad_line,
         const char **reason)
{
    *bad_line = 0;
    *reason = NULL;
    if (text.len > INI_FILE_BYTES_MAX) {
        *reason = "the file is too large";
        return ERR_BAD;
    }
    struct reader reader = { .section = { NULL, 0 } };
    if (str_starts(text, STR("\xef\xbb\xbf"))) {
        text = str_skip(text, 3); /* the byte order mark some editors leave */
    }
    uint32_t number = 0;
    while (text.len > 0) {
        number++;
        enum err err = read_line(&reader, str_cut(&text, '\n'), number, on_line, context);
        if (err != ERR_OK) {
            *bad_line = number;
            *reason = reader.reason;
            return err;
        }
    }
    return ERR_OK;
}
