/* Pages: escaping, well-formed plots, and that missing parts are left out. */
#include "common/test.h"

#include "toolkit/base/random.h"
#include "toolkit/report/findings.h"
#include "toolkit/report/html.h"
#include "toolkit/report/plot.h"
#include "toolkit/report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A small checker of markup ----------------------------------------------------------------- */

/* Elements of HTML that have no end. */
static bool is_void(const char *name, bool html)
{
    return html && (strcmp(name, "meta") == 0 || strcmp(name, "img") == 0);
}

/* Fails unless every element is closed in order, every attribute quoted, and & only starts a reference. */
static void assert_well_formed(const char *text, bool html)
{
    char open[64][32];
    int depth = 0;
    const char *at = text;
    if (html) {
        assert_true(strncmp(at, "<!DOCTYPE html>", 15) == 0);
        at += 15;
    }
    while (*at) {
        if (*at == '&')
            assert_true(strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&lt;", 4) == 0 || strncmp(at, "&gt;", 4) == 0 ||
                        strncmp(at, "&quot;", 6) == 0 || strncmp(at, "&#39;", 5) == 0);
        if (*at != '<') {
            assert_true(html || *at != '>');
            at++;
            continue;
        }
        char name[32] = "";
        bool closing = at[1] == '/', closed = false;
        size_t length = strcspn(at + 1 + closing, " />\n");
        assert_true(length > 0 && length < sizeof name);
        memcpy(name, at + 1 + closing, length);
        name[length] = 0;
        at += 1 + closing + length;
        while (*at && *at != '>') {
            if (*at == '"') {
                at = strchr(at + 1, '"');
                assert_non_null(at);
            }
            closed = *at == '/';
            at++;
        }
        assert_true(*at == '>');
        at++;
        if (closing) {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else if (!closed && !is_void(name, html)) {
            assert_true(depth < 64);
            strcpy(open[depth++], name);
        }
        if (!closing && strcmp(name, "style") == 0) { /* its text is no markup */
            at = strstr(at, "</style>");
            assert_non_null(at);
        }
    }
    assert_int_equal(depth, 0);
}

/* ---- Escaping -------------------------------------------------------------------------------- */

static void assert_escaped(const char *text, const char *wanted)
{
    qmt_text page = {0};
    qmt_html_escape(&page, text);
    char *made = qmt_text_take(&page);
    assert_string_equal(made, wanted);
    qmt_free(made);
}

static void hostile_names(void **state)
{
    (void)state;
    assert_escaped("<script>alert(\"1\")</script>", "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
    assert_escaped("a&b'c", "a&amp;b&#39;c");
    assert_escaped("\x01\x1b[31m\x7f", "\xEF\xBF\xBD\xEF\xBF\xBD[31m\xEF\xBF\xBD");
    assert_escaped("G\xC3\xBC\xC3\xA9\xF0\x9F\x98\x80", "G\xC3\xBC\xC3\xA9\xF0\x9F\x98\x80");
    assert_escaped("\xC3", "\xEF\xBF\xBD");                                 /* cut off */
    assert_escaped("\xC0\xBC", "\xEF\xBF\xBD\xEF\xBF\xBD");                 /* an overlong < */
    assert_escaped("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* half of a surrogate pair */
    assert_escaped("\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* over U+10FFFF */
    assert_escaped(NULL, "");
}

/* RFC 4648, section 10. */
static void base64(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        qmt_text page = {0};
        qmt_html_base64(&page, pairs[i][0], strlen(pairs[i][0]));
        qmt_text_add(&page, "%s", "");
        char *made = qmt_text_take(&page);
        assert_string_equal(made, pairs[i][1]);
        qmt_free(made);
    }
}

/* ---- Plots ----------------------------------------------------------------------------------- */

static size_t count_in(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        count++;
    return count;
}

static void assert_plot(char *svg)
{
    assert_non_null(svg);
    assert_well_formed(svg, false);
    assert_true(strncmp(svg, "<svg ", 5) == 0);
    assert_null(strstr(svg, " id=\""));
    assert_null(strstr(svg, "nan"));
    assert_null(strstr(svg, "inf"));
    qmt_free(svg);
}

/* All kinds of numbers, also none at all, and names that are markup. */
static void line_plots(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, NAN, 4, 1e9}, y[] = {0.5, INFINITY, -3, 1, 2, NAN};
    const double flat[] = {7, 7, 7, 7, 7, 7}, one[] = {3}, zero[] = {0, 0};
    const qmt_series many[] = {{"a<b&\"c\"", x, y, 6, 0, false}, {"flat", x, flat, 6, 1, true}};
    const qmt_series single[] = {{"one", one, one, 1, 5, false}}, zeros[] = {{"zeros", zero, zero, 2, 2, false}};
    const struct {
        const qmt_series *series;
        size_t count;
    } cases[] = {{many, 2}, {single, 1}, {zeros, 1}, {NULL, 0}};
    qmtcnn_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int log = 0; log < 2; log++) {
            const qmt_line_plot plot = {"<plot>", "x & y",         "'y'",          log, NAN,   NAN, NAN,
                                        NAN,      cases[i].series, cases[i].count, 1,   "mark"};
            char *svg;
            assert_ok(qmt_plot_lines(&plot, &svg, &error), &error);
            assert_int_equal(count_in(svg, "&lt;plot&gt;"), 1);
            assert_plot(svg);
        }
    }
}

/* A straight line from (0, 0) to (1, 1): both ends lie in opposite corners of the axes. */
static void a_line_is_where_it_belongs(void **state)
{
    (void)state;
    const double x[] = {0, 1};
    const qmt_series series[] = {{"line", x, x, 2, 0, false}};
    const qmt_line_plot plot = {"line", "x", "y", false, 0, 1, 0, 1, series, 1, NAN, NULL};
    double from_x = NAN, from_y = NAN, to_x = NAN, to_y = NAN;
    qmtcnn_error error;
    char *svg;
    assert_ok(qmt_plot_lines(&plot, &svg, &error), &error);
    const char *blue = strstr(svg, "stroke-width:1.8");
    blue = blue ? blue : strstr(svg, "stroke-width=\"1.8\"");
    assert_non_null(blue);
    const char *path = strstr(blue, " d=\"");
    path = path ? path : strstr(svg, " d=\"");
    assert_int_equal(sscanf(path, " d=\"M %lf %lf L %lf %lf", &from_x, &from_y, &to_x, &to_y), 4);
    assert_true(to_x - from_x > 200 && from_y - to_y > 100);
    assert_plot(svg);
}

/* From 2.7 to 4 there is no power of ten and no 2 or 5 times one; the axis must have words all the same. */
static void a_short_logarithmic_axis(void **state)
{
    (void)state;
    const double x[] = {2.7, 3.1, 4}, y[] = {0, 0.5, 1};
    const qmt_series series = {"a", x, y, 3, 0, false};
    const qmt_line_plot plot = {.description = "short",
                                .log_x = true,
                                .x_min = NAN,
                                .x_max = NAN,
                                .y_min = NAN,
                                .y_max = NAN,
                                .series = &series,
                                .count = 1,
                                .mark_x = NAN};
    char *svg = NULL;
    qmtcnn_error error;
    assert_ok(qmt_plot_lines(&plot, &svg, &error), &error);
    assert_non_null(strstr(svg, ">3.0<"));
    assert_non_null(strstr(svg, ">3.5<"));
    assert_non_null(strstr(svg, ">4.0<"));
    qmt_free(svg);
}

static void bar_and_row_plots(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "<b>", "c"}, *const bars[] = {"one", "two"};
    static const int colors[] = {0, 1, 2};
    const double values[] = {1, 2, NAN, 0, INFINITY, 3}, none[] = {NAN, NAN, NAN, NAN, NAN, NAN};
    const double *sets[] = {values, none};
    qmtcnn_error error;
    for (int i = 0; i < 2; i++) {
        const qmt_bar_plot bar = {"bars", "ms", names, 3, bars, 2, sets[i], colors, NAN, 1};
        qmt_plot_row rows[3];
        for (int j = 0; j < 3; j++) {
            rows[j] = (qmt_plot_row){.value = sets[i][j], .color = colors[j]};
            strcpy(rows[j].name, names[j]);
        }
        const qmt_row_plot row = {"rows", "dB", rows, 3, 1};
        char *svg;
        assert_ok(qmt_plot_bars(&bar, &svg, &error), &error);
        assert_plot(svg);
        assert_ok(qmt_plot_rows(&row, &svg, &error), &error);
        assert_plot(svg);
    }
    const qmt_row_plot empty = {"rows", "dB", NULL, 0, 1};
    char *svg;
    assert_ok(qmt_plot_rows(&empty, &svg, &error), &error);
    assert_plot(svg);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static const char history[] =
    "{\"net\":\"pnet\",\"ptq\":{\"epoch\":1,\"validation\":{\"fp32\":{\"score\":0.9},\"int8\":{\"score\":0.8}}},"
    "\"epochs\":[{\"epoch\":0,\"phase\":\"fp32\",\"loss\":{\"total\":1.5,\"class\":0.7},\"validation\":{\"fp32\":"
    "{\"score\":0.5,\"average_precision\":0.91},\"int8\":null}},{\"epoch\":1,\"phase\":\"qat\",\"loss\":{\"total\":1.2}"
    ","
    "\"validation\":null},{},3,null]}";

static void fill_evaluation(qmt_evaluation *evaluation, const char *precision, double ap)
{
    qmt_evaluation_init(evaluation);
    snprintf(evaluation->detector, sizeof evaluation->detector, "models/<%s>", precision);
    snprintf(evaluation->precision, sizeof evaluation->precision, "%s", precision);
    evaluation->pictures = 10;
    evaluation->faces = 1234;
    evaluation->ap = ap;
    evaluation->ap_1000 = ap - 0.001;
    evaluation->score = 0.7;
    evaluation->by_size[1] = (qmt_size_result){100, 0.75, 0.5};
    for (int i = 0; i < 20; i++)
        evaluation->curve[i] = (qmt_curve_point){1 - i / 20.0, i / 20.0, 1 - i / 40.0, i / 10.0};
    evaluation->curve_points = 20;
}

static char *make_page(const qmt_report *report)
{
    char *html;
    qmtcnn_error error;
    assert_ok(qmt_report_html(report, &html, &error), &error);
    assert_well_formed(html, true);
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "http://localhost"));
    assert_int_equal(count_in(html, "<section>"), count_in(html, "</section>"));
    return html;
}

static void an_empty_report(void **state)
{
    (void)state;
    const qmt_report nothing = {0};
    char *html = make_page(&nothing);
    assert_int_equal(count_in(html, "<section>"), 0);
    qmt_free(html);
    json_t *json = qmt_report_json(&nothing);
    assert_true(json_is_null(json_object_get(json, "fp32")));
    json_decref(json);
}

static void a_full_report(void **state)
{
    (void)state;
    qmt_evaluation *evaluations = qmt_alloc(3, sizeof *evaluations);
    qmt_check_summary summary = {.pictures = 4686, .faces = 9741};
    qmt_stage_result stage = {.net = QMT_RNET, .precision = "int8", .faces = 5};
    char caption[] = "\"><img src=x>", jpeg[] = "\xFF\xD8 no picture";
    qmt_example example = {caption, jpeg, sizeof jpeg - 1, true};
    const qmt_examples examples = {&example, 1};
    const qmt_report_step steps[] = {{"train <pnet>", 100, NULL}, {"export", -1, "done before"}};
    fill_evaluation(&evaluations[0], "fp32", 0.9);
    fill_evaluation(&evaluations[1], "int8", 0.8);
    fill_evaluation(&evaluations[2], "int8", 0.89);
    qmt_config config;
    qmt_config_default(&config);
    snprintf(config.data.dir, sizeof config.data.dir, "</pre><b>");
    const qmt_real_results real = {.name = "real <pictures>",
                                   .evaluations = {&evaluations[0], &evaluations[1], &evaluations[2]}};
    const qmt_report report = {.title = "Title & <b>",
                               .config = &config,
                               .real = &real,
                               .train_data = &summary,
                               .manifests = {"{\"counts\":{\"negative\":1234567}}", "not json <", NULL},
                               .histories = {history, "[damaged", "{\"epochs\":7}"},
                               .fp32 = &evaluations[0],
                               .ptq = &evaluations[1],
                               .int8 = &evaluations[2],
                               .stages = &stage,
                               .stage_count = 1,
                               .examples = &examples,
                               .steps = steps,
                               .step_count = 2};
    char *html = make_page(&report);
    assert_non_null(strstr(html, "<title>Title &amp; &lt;b&gt;</title>"));
    assert_non_null(strstr(html, "0.890"));
    assert_non_null(strstr(html, "1,234,567"));
    assert_non_null(strstr(html, "1.7 min"));
    assert_non_null(strstr(html, "real &lt;pictures&gt;"));
    assert_non_null(strstr(html, "&lt;/pre&gt;&lt;b&gt;"));
    assert_non_null(strstr(html, "&quot;&gt;&lt;img src=x&gt;"));
    assert_non_null(strstr(html, "data:image/jpeg;base64,/9gg"));
    assert_int_equal(count_in(html, "can&#39;t be read"), 2);
    assert_true(count_in(html, "<svg") >= 5);
    qmt_free(html);
    json_t *json = qmt_report_json(&report);
    assert_float_equal(json_number_value(json_object_get(json_object_get(json, "int8"), "ap")), 0.89, 1e-9);
    const json_t *real_json = json_object_get(json, "real_data");
    assert_float_equal(json_number_value(json_object_get(json_object_get(real_json, "ptq"), "ap")), 0.8, 1e-9);
    const json_t *settings = json_object_get(json, "configuration");
    assert_string_equal(json_string_value(json_object_get(json_object_get(settings, "data"), "dir")), "</pre><b>");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(settings, "run"), "seed")), 1);
    json_decref(json);
    qmt_free(evaluations);
}

/* ---- Findings -------------------------------------------------------------------------------- */

static const qmt_finding *find(const qmt_findings *findings, qmt_finding_kind kind, const char *what)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].kind == kind && strcmp(findings->items[i].what, what) == 0)
            return &findings->items[i];
    return NULL;
}

static const char *text_of(const qmt_findings *findings, qmt_finding_kind kind, const char *what)
{
    const qmt_finding *found = find(findings, kind, what);
    return found ? found->text : "";
}

/* A fifth is held out: 800,000 negatives, 10,000 positives and 2,000 parts teach. */
static const char imbalanced[] = "{\"counts\":{\"negative\":1000000,\"positive\":12500,\"part\":2500,\"landmark\":0}}";

static void imbalanced_classes(void **state)
{
    (void)state;
    qmt_config config;
    qmt_config_default(&config);
    qmt_train_config *train = &config.train[QMT_RNET];
    train->batch = 60; /* without landmarks: 36, 12 and 12 */
    train->steps_per_epoch = 1000;
    train->epochs = 5;
    train->holdout = 0.2F;
    qmt_class_use uses[4];
    assert_true(qmt_class_uses(imbalanced, train, uses));
    assert_float_equal(uses[0].samples, 800000, 1);
    assert_float_equal(uses[0].share, 0.6, 1e-6);
    assert_float_equal(uses[0].in_all, 5 * 36000.0 / 800000, 1e-5);
    assert_float_equal(uses[1].per_epoch, 12000.0 / 10000, 1e-5);
    assert_float_equal(uses[2].per_epoch, 12000.0 / 2000, 1e-5);
    const qmt_report report = {.config = &config, .manifests = {NULL, imbalanced, "{}"}};
    qmt_findings *findings = qmt_alloc(1, sizeof *findings);
    qmt_findings_make(&report, findings);
    assert_int_equal(findings->count, 3);
    const qmt_finding *unseen = find(findings, QMT_FINDING_UNSEEN, "negative");
    assert_non_null(unseen);
    assert_float_equal(unseen->value, 1 - 0.225, 1e-5);
    assert_non_null(strstr(unseen->text, " % of the 800000 negative samples are never shown"));
    const qmt_finding *repeated = find(findings, QMT_FINDING_REPEATED, "part");
    assert_true(repeated && repeated->net == QMT_RNET);
    assert_non_null(strstr(repeated->text, "6.0 times an epoch, 30 times in all"));
    assert_non_null(find(findings, QMT_FINDING_MISSING, "landmark"));
    char *html = make_page(&report);
    assert_int_equal(count_in(html, "class=\"warning\""), 3);
    assert_non_null(strstr(html, "How often samples are shown"));
    qmt_free(html);
    json_t *json = qmt_report_json(&report);
    assert_int_equal(json_array_size(json_object_get(json, "findings")), 3);
    json_decref(json);
    /* One pass over all, in the ratio of the classes: nothing to say. */
    const qmt_report sound = {
        .config = &config,
        .manifests = {NULL, "{\"counts\":{\"negative\":30000,\"positive\":10000,\"part\":10000,\"landmark\":20000}}"}};
    train->steps_per_epoch = 0;
    qmt_findings_make(&sound, findings);
    assert_int_equal(findings->count, 0);
    html = make_page(&sound);
    assert_non_null(strstr(html, "all are within their limits"));
    qmt_free(html);
    qmt_free(findings);
}

static void dead_and_saturated_layers(void **state)
{
    (void)state;
    qmt_layer_difference layers[] = {
        {.net = QMT_RNET, .name = "fc", .channels = 128, .dead = 78, .dead_fp32 = 78, .saturation = 0.0001},
        {.net = QMT_PNET, .name = "conv<1>", .channels = 10, .dead = 5, .dead_fp32 = 1, .saturation = 0.02},
        {.net = QMT_ONET, .name = "fc", .channels = 256, .dead = 25, .dead_fp32 = 25, .saturation = NAN}};
    qmt_comparison *comparison = qmt_alloc_zero(1, sizeof *comparison);
    comparison->layers = (qmt_layer_differences){.layers = layers, .count = 3};
    const qmt_report report = {.comparison = comparison};
    qmt_findings *findings = qmt_alloc(1, sizeof *findings);
    qmt_findings_make(&report, findings);
    assert_int_equal(findings->count, 3);
    assert_int_equal(findings->items[0].net, QMT_PNET);
    const qmt_finding *dead = find(findings, QMT_FINDING_DEAD, "fc");
    assert_non_null(strstr(text_of(findings, QMT_FINDING_DEAD, "fc"), "rnet/fc: 78 of 128 channels never fired"));
    assert_float_equal(dead->value, 78 / 128.0, 1e-12);
    assert_non_null(strstr(text_of(findings, QMT_FINDING_DEAD, "conv<1>"), "under half a step"));
    assert_non_null(strstr(text_of(findings, QMT_FINDING_SATURATED, "conv<1>"), "2.0 % of its outputs"));
    char *html = make_page(&report);
    assert_non_null(strstr(html, "pnet/conv&lt;1&gt;: 5 of 10"));
    qmt_free(html);
    qmt_free(findings);
    qmt_free(comparison);
}

/* The page of a sensitivity measurement. */
static void sensitivity_section(void **state)
{
    (void)state;
    qmt_layer_sensitivity layers[] = {
        {.net = QMT_ONET,
         .name = "fc<",
         .macs = 0.02,
         .time = 1.1,
         .sqnr = 20,
         .alone = {-0.02, -0.03, -0.01, 1, 1, 1, 9}},
        {.net = QMT_PNET, .name = "conv1", .time = NAN, .sqnr = INFINITY, .rounded_before = true}};
    qmt_sensitivity sensitivity = {.layers = layers, .count = 2, .pictures = 50, .of_pictures = 60, .faces = 70};
    qmt_comparison *comparison = qmt_alloc_zero(1, sizeof *comparison);
    comparison->sensitivity = &sensitivity;
    const qmt_report report = {.comparison = comparison};
    char *html = make_page(&report);
    assert_non_null(strstr(html, "-0.0200 (-0.0300 to -0.0100) *"));
    assert_non_null(strstr(html, "onet/fc&lt;"));
    assert_non_null(strstr(html, "pnet/conv1 (i)"));
    assert_non_null(strstr(html, "From 50 of 60 pictures with 70 faces"));
    qmt_free(html);
    qmt_free(comparison);
}

/* Damaged histories of all kinds give a page all the same. */
static void mutated_histories(void **state)
{
    (void)state;
    static const char letters[] = "{}[]\",:0123456789-.eEnull";
    qmt_random random = qmt_random_stream(4, 0, 0);
    for (int i = 0; i < 150; i++) {
        char text[sizeof history];
        memcpy(text, history, sizeof text);
        for (uint64_t changes = 1 + qmt_random_below(&random, 3); changes > 0; changes--)
            text[qmt_random_below(&random, sizeof text - 1)] = letters[qmt_random_below(&random, sizeof letters - 1)];
        const qmt_report report = {.histories = {text, NULL, text}, .manifests = {NULL, text, NULL}};
        qmt_free(make_page(&report));
    }
}

/* ---- Pictures -------------------------------------------------------------------------------- */

static bool has_color(const qmt_image *image, int x, int y, int r, int g, int b)
{
    const uint8_t *pixel = &image->data[3 * (y * image->width + x)];
    return abs(pixel[0] - r) < 60 && abs(pixel[1] - g) < 60 && abs(pixel[2] - b) < 60;
}

/* A face at 10 that is found, one at 60 that is missed, a box at 110 on nothing; drawn at half size on black. */
static void annotated_picture(void **state)
{
    (void)state;
    qmt_truth_face faces[2] = {{10, 10, 30, 30, QMT_SETTING_ALL, false, {{0}}},
                               {60, 10, 30, 30, QMT_SETTING_ALL, false, {{0}}}};
    qmt_detection boxes[2] = {{16, 16, 30, 30, 0.9, false, {{0}}}, {110, 10, 30, 30, 0.8, false, {{0}}}};
    char name[] = "a";
    const qmt_truth_picture truth = {name, faces, 2};
    const qmt_found found = {name, boxes, 2, 0, false};
    int hits, missed, false_alarms;
    qmt_image image;
    qmtcnn_error error;
    assert_ok(qmt_image_create(80, 40, &image, &error), &error);
    assert_ok(qmt_annotate(&image, 0.5, &truth, &found, 0.4, 0.5, &hits, &missed, &false_alarms, &error), &error);
    assert_true(hits == 1 && missed == 1 && false_alarms == 1);
    assert_true(has_color(&image, 5, 12, 40, 200, 90));   /* left edge of the found label: green */
    assert_true(has_color(&image, 30, 12, 235, 50, 50));  /* of the missed one: red */
    assert_true(has_color(&image, 55, 12, 255, 150, 20)); /* of the false alarm: orange */
    qmt_image_clear(&image);
    assert_ok(qmt_annotate(NULL, 1, &truth, &found, 0.4, 0.85, &hits, &missed, &false_alarms, &error), &error);
    assert_true(hits == 1 && missed == 1 && false_alarms == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_names),
        cmocka_unit_test(base64),
        cmocka_unit_test(line_plots),
        cmocka_unit_test(a_line_is_where_it_belongs),
        cmocka_unit_test(a_short_logarithmic_axis),
        cmocka_unit_test(bar_and_row_plots),
        cmocka_unit_test(an_empty_report),
        cmocka_unit_test(a_full_report),
        cmocka_unit_test(mutated_histories),
        cmocka_unit_test(imbalanced_classes),
        cmocka_unit_test(dead_and_saturated_layers),
        cmocka_unit_test(sensitivity_section),
        cmocka_unit_test(annotated_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
