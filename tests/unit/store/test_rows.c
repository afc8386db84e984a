/* The rows describe the structs: every record can be shown, and no two rows share a name or a
 * place. */
#include <criterion/criterion.h>
#include <string.h>

#include "store/object.h"
#include "store/rows.h"

Test(rows, of_a_kind_have_names_help_and_places_of_their_own)
{
    for (int kind = 0; kind < MODEL_KINDS; kind++) {
        const struct model_table *table = model_table((enum model_kind)kind);
        cr_assert(table->kind == (enum model_kind)kind && table->size <= sizeof(union object));
        for (size_t i = 0; i < table->field_count; i++) {
            const struct model_field *field = &table->fields[i];
            cr_expect(field->help != NULL && field->help[0] != '\0', "%s", field->name);
            cr_expect(field->offset + field->size <= table->size, "%s", field->name);
            for (size_t k = 0; k < i; k++) {
                const struct model_field *other = &table->fields[k];
                cr_expect(strcmp(field->name, other->name) != 0, "%s", field->name);
                cr_expect(field->offset >= other->offset + other->size ||
                              other->offset >= field->offset + field->size,
                          "%s and %s", field->name, other->name);
            }
        }
    }
}

Test(rows, that_can_be_set_are_shown_and_hidden_ones_are_neither)
{
    for (int kind = 0; kind < MODEL_KINDS; kind++) {
        const struct model_table *table = model_table((enum model_kind)kind);
        for (size_t i = 0; i < table->field_count; i++) {
            uint32_t flags = table->fields[i].flags;
            if ((flags & MODEL_IS_SETTABLE) != 0) {
                cr_expect((flags & MODEL_IS_SHOWN) != 0, "%s", table->fields[i].name);
            }
            if ((flags & MODEL_IS_HIDDEN) != 0) {
                cr_expect((flags & ~MODEL_IS_HIDDEN) == 0, "%s", table->fields[i].name);
            }
        }
    }
}
