/*
 * modality.h - Gemini's tokens by modality:
 *
 *      "promptTokensDetails":[{"modality":"TEXT","tokenCount":7},{"modality":"AUDIO","tokenCount":32}]
 *
 * Only sounds are told apart: pictures cost there what text does.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_MODALITY_H
#define PROTO_MODALITY_H

#include <stdint.h>

#include "base/json.h"

/* Tokens of sounds in the list; `otherwise` when it is none (JSON_NULL: the report has none). */
uint64_t modality_audio(struct json_value list, uint64_t otherwise);

#endif
