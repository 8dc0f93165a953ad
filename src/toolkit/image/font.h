/* The built-in bitmap font of drawings. */
#ifndef QMT_IMAGE_FONT_H
#define QMT_IMAGE_FONT_H

#include <stdbool.h>

enum { qmt_glyph_width = 5, qmt_glyph_height = 7 };

/* Is pixel x, y (from the upper left) of a character set? Other bytes than ASCII 32 to 126 show as a question mark. */
bool qmt_glyph_pixel(char character, int x, int y);

#endif
