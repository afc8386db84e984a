#include "store/shipped.h"

#include "base/check.h"
#include "store/pricefile.h"

/* The assembler puts the file in; the Makefile knows that this object depends on it. */
__asm__(".section .rodata\n"
        ".global shipped_begin\n"
        ".global shipped_end\n"
        "shipped_begin:\n"
        ".incbin \"store/prices.json\"\n"
        "shipped_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char shipped_begin[];
extern const char shipped_end[];

struct str
shipped_text(void)
{
    return str_make(shipped_begin, (size_t)(shipped_end - shipped_begin));
}

struct each {
    pricebook_fn fn;
    void *context;
    enum err err;
};

static bool
on_row(void *context, const struct pricefile_row *row)
{
    struct each *each = context;
    CHECK(row->err != ERR_BAD);
    if (row->err == ERR_OK) {
        each->err = each->fn(each->context, PRICE_SHIPPED, row->price);
    }
    return each->err == ERR_OK;
}

enum err
shipped_each(pricebook_fn fn, void *context)
{
    struct each each = { fn, context, ERR_OK };
    char why[PRICE_WHY_BYTES];
    enum err err = pricefile_read(shipped_text(), on_row, &each, why);
    CHECK(err == ERR_OK);
    return each.err;
}
