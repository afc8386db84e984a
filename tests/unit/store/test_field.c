#include "store/field.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
