/* Pieces of a self-contained HTML page: nothing in it is loaded from elsewhere, and no script runs. */
#ifndef QMT_HTML_H
#define QMT_HTML_H

#include "toolkit/evaluate/text.h"

#include <stdint.h>

/* Text as it may stand in an element or in a quoted attribute: & < > " ' are written as references; control characters
 * and bytes that are no UTF-8 become U+FFFD. NULL is nothing. */
void qmt_html_escape(qmt_text *page, const char *text);
void qmt_html_base64(qmt_text *page, const void *data, size_t size);

void qmt_html_start(qmt_text *page, const char *title, const char *subtitle);
void qmt_html_end(qmt_text *page);
/* Ends the section before it, if there is one. `intro` may be NULL. */
void qmt_html_section(qmt_text *page, const char *title, const char *intro);
void qmt_html_heading(qmt_text *page, const char *title);
void qmt_html_paragraph(qmt_text *page, const char *text);
void qmt_html_warning(qmt_text *page, const char *text);                           /* a paragraph that stands out */
void qmt_html_preformatted(qmt_text *page, const char *summary, const char *text); /* folded up, behind its summary */

/* A row of large figures. */
typedef enum qmt_tone { QMT_TONE_PLAIN, QMT_TONE_GOOD, QMT_TONE_BAD } qmt_tone;
void qmt_html_tiles_start(qmt_text *page);
void qmt_html_tile(qmt_text *page, const char *label, const char *value, const char *note, qmt_tone tone);
void qmt_html_tiles_end(qmt_text *page);

/* A table: the first column holds names, the others figures. Cells that are NULL stay empty. */
void qmt_html_table_start(qmt_text *page, const char *const *headers, size_t count);
void qmt_html_row(qmt_text *page, const char *const *cells, size_t count);
void qmt_html_table_end(qmt_text *page);

/* Figures side by side where there is room. */
void qmt_html_figures_start(qmt_text *page);
void qmt_html_figure(qmt_text *page, const char *svg, const char *caption); /* svg: trusted markup */
void qmt_html_picture(qmt_text *page, const void *jpeg, size_t size, const char *caption);
void qmt_html_figures_end(qmt_text *page);

#endif
