/* `qmtcnn bench detect --energy`: joules a picture. */
#include "cli/bench.h"

#include "cli/results.h"
#include "runtime/base/clock.h"
#include "toolkit/evaluate/energy.h"

#include <stdio.h>
#include <string.h>

enum { precisions = 2, blocks = 4 };
static const double between_readings = 0.005; /* seconds: sensors are not faster */

/* One precision's detector, and what it took so far. */
struct side {
    qmtcnn_model *model; /* NULL: the files have no INT8 */
    qmtcnn_context *context;
    double joules, seconds;
    int pictures;
};

static qmtcnn_status open_side(const qmt_bench_request *request, qmtcnn_precision precision, struct side *side,
                               qmtcnn_error *error)
{
    qmtcnn_options options;
    qmtcnn_status status = qmtcnn_model_open(request->models, precision, &side->model, error);
    if (status == QMTCNN_ERROR_UNSUPPORTED && precision == QMTCNN_PRECISION_INT8)
        return QMTCNN_OK;
    if (status != QMTCNN_OK)
        return status;
    qmtcnn_options_default(side->model, &options);
    options.min_face = request->options->min_face;
    options.threads = request->options->threads;
    return qmtcnn_context_create(side->model, &options, &side->context, error);
}

/* Pictures for a while, read by the meter. */
static qmtcnn_status run_block(const qmt_bench_request *request, struct side *side, qmt_energy_meter *meter,
                               qmtcnn_error *error)
{
    const qmtcnn_image view = {.pixels = request->picture,
                               .width = request->width,
                               .height = request->height,
                               .stride = 3 * (ptrdiff_t)request->width,
                               .format = QMTCNN_RGB};
    const qmtcnn_face *faces;
    size_t count;
    qmtcnn_status status = qmtcnn_detect(side->context, &view, &faces, &count, error);
    const double start = qmt_seconds();
    double now = start, last = start;
    int pictures = 0;
    if (status == QMTCNN_OK)
        status = qmt_energy_start(meter, start, error);
    while (status == QMTCNN_OK && (pictures == 0 || now - start < (double)request->seconds)) {
        status = qmtcnn_detect(side->context, &view, &faces, &count, error);
        pictures++;
        now = qmt_seconds();
        if (status == QMTCNN_OK && now - last >= between_readings) {
            status = qmt_energy_read(meter, now, error);
            last = now;
        }
    }
    now = qmt_seconds();
    if (status == QMTCNN_OK)
        status = qmt_energy_read(meter, now, error);
    if (status == QMTCNN_OK) {
        side->joules += qmt_energy_joules(meter);
        side->seconds += now - start;
        side->pictures += pictures;
    }
    return status;
}

static double per_picture(double value, const struct side *side)
{
    return side->pictures > 0 ? value / side->pictures : 0;
}

static json_t *side_json(const struct side *side)
{
    if (!side->model)
        return json_null();
    return json_pack("{s:f,s:f,s:i}", "joules", per_picture(side->joules, side), "watts",
                     side->seconds > 0 ? side->joules / side->seconds : 0, "pictures", side->pictures);
}

/* Turn about, in blocks: a machine that gets warm gets warm for both. */
static qmtcnn_status compare(const qmt_bench_request *request, qmt_energy_meter *meter, qmtcnn_error *error)
{
    struct side sides[precisions] = {{NULL, NULL, 0, 0, 0}, {NULL, NULL, 0, 0, 0}};
    struct side *fp32 = &sides[0], *int8 = &sides[1];
    qmtcnn_status status = open_side(request, QMTCNN_PRECISION_FP32, fp32, error);
    if (status == QMTCNN_OK)
        status = open_side(request, QMTCNN_PRECISION_INT8, int8, error);
    for (int i = 0; i < precisions * blocks && status == QMTCNN_OK; i++)
        if (sides[i % precisions].model)
            status = run_block(request, &sides[i % precisions], meter, error);
    const double ratio =
        int8->joules > 0 && fp32->joules > 0 ? per_picture(int8->joules, int8) / per_picture(fp32->joules, fp32) : 0;
    if (status == QMTCNN_OK && request->json) {
        status = qmt_print_json(json_pack("{s:{s:s,s:o,s:o,s:o}}", "energy", "source", qmt_energy_source(meter), "fp32",
                                          side_json(fp32), "int8", side_json(int8), "ratio",
                                          ratio > 0 ? json_real(ratio) : json_null()),
                                NULL, error);
    } else if (status == QMTCNN_OK) {
        printf("energy by %s, joules a picture\n", qmt_energy_source(meter));
        printf("fp32    %9.4f J  %.1f W, %d pictures\n", per_picture(fp32->joules, fp32),
               fp32->seconds > 0 ? fp32->joules / fp32->seconds : 0, fp32->pictures);
        if (int8->model)
            printf("int8    %9.4f J  %.1f W, %d pictures, %.2f x fp32\n", per_picture(int8->joules, int8),
                   int8->seconds > 0 ? int8->joules / int8->seconds : 0, int8->pictures, ratio);
    }
    for (int i = 0; i < precisions; i++) {
        qmtcnn_context_free(sides[i].context);
        qmtcnn_model_close(sides[i].model);
    }
    return status;
}

qmtcnn_status qmt_bench_energy(const qmt_bench_request *request, qmtcnn_error *error)
{
    qmt_energy_meter *meter;
    char why[512];
    qmtcnn_status status = qmt_energy_open(request->sysfs, &meter, why, sizeof why, error);
    if (status != QMTCNN_OK)
        return status;
    if (!meter && request->json)
        return qmt_print_json(json_pack("{s:n,s:s}", "energy", "why", why), NULL, error);
    if (!meter) {
        printf("energy: not measured here: %s\n", why);
        return QMTCNN_OK;
    }
    status = compare(request, meter, error);
    qmt_energy_close(meter);
    return status;
}
