#include "toolkit/report/html.h"

#include <string.h>

/* ---- Escaping -------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at `at`, or 0 where there is none: overlong forms, surrogates and values over 0x10FFFF
 * are none (Unicode, table 3-7). */
static size_t utf8_length(const unsigned char *at)
{
    size_t length = at[0] < 0x80                     ? 1
                    : at[0] >= 0xC2 && at[0] < 0xE0  ? 2
                    : (at[0] & 0xF0) == 0xE0         ? 3
                    : at[0] >= 0xF0 && at[0] <= 0xF4 ? 4
                                                     : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    bool wrong = (at[0] == 0xE0 && length == 3 && at[1] < 0xA0) || (at[0] == 0xED && length == 3 && at[1] > 0x9F) ||
                 (at[0] == 0xF0 && length == 4 && at[1] < 0x90) || (at[0] == 0xF4 && length == 4 && at[1] > 0x8F);
    return wrong ? 0 : length;
}

static const char *reference(unsigned char letter)
{
    switch (letter) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case '\n':
    case '\t': return NULL;
    default: return letter < 32 || letter == 127 ? "\xEF\xBF\xBD" : NULL;
    }
}

void qmt_html_escape(qmt_text *page, const char *text)
{
    const unsigned char *at = (const unsigned char *)(text ? text : "");
    while (*at) {
        size_t length = utf8_length(at);
        const char *instead = length == 1 ? reference(*at) : length == 0 ? "\xEF\xBF\xBD" : NULL;
        if (instead)
            qmt_text_add_bytes(page, instead, strlen(instead));
        else
            qmt_text_add_bytes(page, (const char *)at, length);
        at += length ? length : 1;
    }
}

void qmt_html_base64(qmt_text *page, const void *data, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        char out[4];
        group |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < size ? bytes[i + 2] : 0;
        out[0] = letters[group >> 18];
        out[1] = letters[group >> 12 & 63];
        out[2] = i + 1 < size ? letters[group >> 6 & 63] : '=';
        out[3] = i + 2 < size ? letters[group & 63] : '=';
        qmt_text_add_bytes(page, out, 4);
    }
}

static void element(qmt_text *page, const char *open, const char *text, const char *close)
{
    qmt_text_add_bytes(page, open, strlen(open));
    qmt_html_escape(page, text);
    qmt_text_add_bytes(page, close, strlen(close));
}

/* ---- The page -------------------------------------------------------------------------------- */

static const char style[] =
    ":root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5a6470;--line:#dfe3e8;"
    "--head:#f0f2f5;--good:#137a45;--bad:#b3261e}\n"
    "@media (prefers-color-scheme:dark){:root{--back:#111418;--card:#1a1e24;--ink:#e6e9ed;--soft:#9aa5b1;"
    "--line:#2c323a;--head:#222831;--good:#4fc383;--bad:#ff8a80}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,"
    "'Helvetica Neue',Arial,sans-serif}\n"
    "main{max-width:1200px;margin:0 auto;padding:24px 16px 64px}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px}h2{font-size:1.25rem;margin:0 0 4px}"
    "h3{font-size:1rem;margin:20px 0 6px}\n"
    "p{margin:4px 0 12px;max-width:80ch;overflow-wrap:anywhere}.soft,figcaption,.note{color:var(--soft)}\n"
    "section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px;margin:18px 0}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:18px 0}\n"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}\n"
    ".tile b{display:block;font-size:1.6rem;line-height:1.25;font-variant-numeric:tabular-nums}\n"
    ".tile span{font-size:.85rem;color:var(--soft);display:block;overflow-wrap:anywhere}\n"
    ".warning{border-left:4px solid var(--bad);padding-left:12px}\n"
    ".good{color:var(--good)}.bad{color:var(--bad)}\n"
    ".scroll{overflow-x:auto;margin:8px 0 14px}\n"
    "table{border-collapse:collapse;font-size:.93rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:5px 12px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\n"
    "@media (max-width:600px){main{padding:16px 8px 48px}section{padding:14px 10px}th,td{padding:5px 7px}"
    "th,td:first-child{white-space:normal;overflow-wrap:anywhere;min-width:4.5em}}\n"
    "th{background:var(--head);font-weight:600}th:first-child,td:first-child{text-align:left}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));gap:16px;margin:10px 0}\n"
    "figure{margin:0;min-width:0}figure svg{width:100%;max-width:480px;height:auto;display:block}\n"
    "figure img{max-width:100%;height:auto;display:block;border-radius:6px}\n"
    "figcaption{font-size:.85rem;margin-top:4px;overflow-wrap:anywhere}\n"
    "details{margin:8px 0}summary{cursor:pointer;color:var(--soft)}\n"
    "pre{overflow-x:auto;background:var(--head);border-radius:6px;padding:12px;font-size:.82rem;line-height:1.45;"
    "white-space:pre-wrap;overflow-wrap:anywhere}\n";

void qmt_html_start(qmt_text *page, const char *title, const char *subtitle)
{
    qmt_text_add(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                       "style-src 'unsafe-inline'; img-src data:\">\n");
    element(page, "<title>", title, "</title>\n<style>\n");
    qmt_text_add_bytes(page, style, sizeof style - 1);
    element(page, "</style>\n</head>\n<body>\n<main>\n<h1>", title, "</h1>\n");
    if (subtitle)
        element(page, "<p class=\"soft\">", subtitle, "</p>\n");
}

void qmt_html_end(qmt_text *page)
{
    qmt_text_add(page, "%s</main>\n</body>\n</html>\n",
                 page->data && strstr(page->data, "\n<section>") ? "</section>\n" : "");
}

void qmt_html_section(qmt_text *page, const char *title, const char *intro)
{
    if (page->data && strstr(page->data, "\n<section>"))
        qmt_text_add(page, "</section>\n");
    element(page, "\n<section>\n<h2>", title, "</h2>\n");
    if (intro)
        element(page, "<p class=\"soft\">", intro, "</p>\n");
}

void qmt_html_heading(qmt_text *page, const char *title)
{
    element(page, "<h3>", title, "</h3>\n");
}

void qmt_html_paragraph(qmt_text *page, const char *text)
{
    element(page, "<p>", text, "</p>\n");
}

void qmt_html_warning(qmt_text *page, const char *text)
{
    element(page, "<p class=\"warning\">", text, "</p>\n");
}

void qmt_html_preformatted(qmt_text *page, const char *summary, const char *text)
{
    element(page, "<details><summary>", summary, "</summary>\n<pre>");
    element(page, "", text, "</pre></details>\n");
}

/* ---- Tiles, tables, figures ------------------------------------------------------------------ */

void qmt_html_tiles_start(qmt_text *page)
{
    qmt_text_add(page, "<div class=\"tiles\">\n");
}

void qmt_html_tile(qmt_text *page, const char *label, const char *value, const char *note, qmt_tone tone)
{
    element(page, "<div class=\"tile\"><span>", label, "</span>");
    element(page,
            tone == QMT_TONE_GOOD  ? "<b class=\"good\">"
            : tone == QMT_TONE_BAD ? "<b class=\"bad\">"
                                   : "<b>",
            value, "</b>");
    element(page, "<span>", note, "</span></div>\n");
}

void qmt_html_tiles_end(qmt_text *page)
{
    qmt_text_add(page, "</div>\n");
}

void qmt_html_table_start(qmt_text *page, const char *const *headers, size_t count)
{
    qmt_text_add(page, "<div class=\"scroll\"><table>\n<thead><tr>");
    for (size_t i = 0; i < count; i++)
        element(page, "<th scope=\"col\">", headers[i], "</th>");
    qmt_text_add(page, "</tr></thead>\n<tbody>\n");
}

void qmt_html_row(qmt_text *page, const char *const *cells, size_t count)
{
    qmt_text_add(page, "<tr>");
    for (size_t i = 0; i < count; i++)
        element(page, "<td>", cells[i], "</td>");
    qmt_text_add(page, "</tr>\n");
}

void qmt_html_table_end(qmt_text *page)
{
    qmt_text_add(page, "</tbody></table></div>\n");
}

void qmt_html_figures_start(qmt_text *page)
{
    qmt_text_add(page, "<div class=\"figures\">\n");
}

void qmt_html_figure(qmt_text *page, const char *svg, const char *caption)
{
    qmt_text_add(page, "<figure>");
    qmt_text_add_bytes(page, svg, strlen(svg));
    element(page, "<figcaption>", caption, "</figcaption></figure>\n");
}

void qmt_html_picture(qmt_text *page, const void *jpeg, size_t size, const char *caption)
{
    element(page, "<figure><img alt=\"", caption, "\" src=\"data:image/jpeg;base64,");
    qmt_html_base64(page, jpeg, size);
    element(page, "\"><figcaption>", caption, "</figcaption></figure>\n");
}

void qmt_html_figures_end(qmt_text *page)
{
    qmt_text_add(page, "</div>\n");
}
