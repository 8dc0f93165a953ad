/* Pieces that tables and pages add to a text. */
#ifndef QMT_EVALUATE_TEXT_H
#define QMT_EVALUATE_TEXT_H

#include "toolkit/config/text.h"

enum { qmt_text_width = 100 }; /* letters in a line of a result */

/* Bytes as they are; none of them zero. */
void qmt_text_add_bytes(qmt_text *text, const char *data, size_t size);
/* Lines broken between words, so that none is wider than `width` letters. */
void qmt_text_add_wrapped(qmt_text *text, size_t width, const char *words);
/* "0.833", or "-" for a NAN. */
void qmt_text_add_figure(qmt_text *text, int width, int digits, double value);

#endif
