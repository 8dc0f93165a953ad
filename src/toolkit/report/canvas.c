#include "toolkit/report/canvas.h"

#include "toolkit/report/html.h"

#include <cairo-svg.h>
#include <string.h>

static cairo_status_t take_bytes(void *closure, const unsigned char *data, unsigned size)
{
    qmt_text *to = closure;
    qmt_text_add_bytes(to, (const char *)data, size);
    return to->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

qmtcnn_status qmt_canvas_create(double width, double height, qmt_canvas *canvas, qmtcnn_error *error)
{
    *canvas = (qmt_canvas){.width = width, .height = height};
    canvas->surface = cairo_svg_surface_create_for_stream(take_bytes, &canvas->shapes, width, height);
    canvas->cairo = cairo_create(canvas->surface);
    if (cairo_status(canvas->cairo) != CAIRO_STATUS_SUCCESS) {
        cairo_destroy(canvas->cairo);
        cairo_surface_destroy(canvas->surface);
        return qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: a plot");
    }
    return QMTCNN_OK;
}

/* Copies what Cairo drew, without its XML head and without its ids: several drawings share one page, where an id may
 * stand only once. Nothing that we draw refers to one. */
static void add_shapes(qmt_text *svg, const char *file)
{
    const char *start = strstr(file, "<svg"), *end = strstr(file, "</svg>");
    start = start ? strchr(start, '>') : NULL;
    if (!start || !end)
        return;
    for (const char *at = start + 1; at < end;) {
        const char *id = strstr(at, " id=\"");
        const char *closed = id && id < end ? strchr(id + 5, '"') : NULL;
        if (!closed) {
            qmt_text_add_bytes(svg, at, (size_t)(end - at));
            return;
        }
        qmt_text_add_bytes(svg, at, (size_t)(id - at));
        at = closed + 1;
    }
}

qmtcnn_status qmt_canvas_finish(qmt_canvas *canvas, const char *description, char **result, qmtcnn_error *error)
{
    qmt_text svg = {0};
    cairo_destroy(canvas->cairo);
    cairo_surface_finish(canvas->surface);
    bool sound = cairo_surface_status(canvas->surface) == CAIRO_STATUS_SUCCESS;
    cairo_surface_destroy(canvas->surface);
    char *shapes = qmt_text_take(&canvas->shapes), *words = qmt_text_take(&canvas->words);
    sound = sound && shapes && words;
    if (sound) {
        qmt_text_add(&svg,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
                     canvas->width, canvas->height);
        qmt_html_escape(&svg, description);
        qmt_text_add(&svg, "\">");
        add_shapes(&svg, shapes);
        qmt_text_add_bytes(&svg, words, strlen(words));
        qmt_text_add(&svg, "</svg>\n");
    }
    qmt_free(words);
    qmt_free(shapes);
    *result = sound ? qmt_text_take(&svg) : NULL;
    return *result ? QMTCNN_OK : qmt_fail(error, QMTCNN_ERROR_MEMORY, "out of memory: a plot");
}

void qmt_canvas_color(qmt_canvas *canvas, int color, double opacity)
{
    static const double tones[6][3] = {
        {0.23, 0.49, 0.87}, {0.90, 0.49, 0.13}, {0.16, 0.63, 0.42},
        {0.62, 0.38, 0.82}, {0.85, 0.26, 0.35}, {0.45, 0.55, 0.60},
    };
    const double *tone = tones[(color % 6 + 6) % 6];
    cairo_set_source_rgba(canvas->cairo, tone[0], tone[1], tone[2], opacity);
}

void qmt_canvas_gray(qmt_canvas *canvas, double opacity)
{
    cairo_set_source_rgba(canvas->cairo, 0.5, 0.5, 0.5, opacity);
}

void qmt_canvas_line(qmt_canvas *canvas, double x1, double y1, double x2, double y2, double thickness)
{
    cairo_set_line_width(canvas->cairo, thickness);
    cairo_move_to(canvas->cairo, x1, y1);
    cairo_line_to(canvas->cairo, x2, y2);
    cairo_stroke(canvas->cairo);
}

void qmt_canvas_bar(qmt_canvas *canvas, double x, double y, double width, double height)
{
    if (width <= 0 || height <= 0)
        return;
    cairo_rectangle(canvas->cairo, x, y, width, height);
    cairo_fill(canvas->cairo);
}

void qmt_canvas_words(qmt_canvas *canvas, double x, double y, qmt_anchor anchor, bool small, const char *words)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    qmt_text_add(&canvas->words,
                 "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\" fill=\"currentColor\">", x, y,
                 anchors[anchor], small ? 11 : 12);
    qmt_html_escape(&canvas->words, words);
    qmt_text_add(&canvas->words, "</text>\n");
}

void qmt_canvas_words_upright(qmt_canvas *canvas, double x, double y, const char *words)
{
    qmt_text_add(&canvas->words,
                 "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\" font-size=\"12\" "
                 "fill=\"currentColor\">",
                 x, y);
    qmt_html_escape(&canvas->words, words);
    qmt_text_add(&canvas->words, "</text>\n");
}
