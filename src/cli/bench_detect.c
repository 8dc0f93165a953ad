/* `qmtcnn bench detect`: how fast detection is on this computer. */
#include "cli/bench.h"

#include "cli/pictures.h"
#include "runtime/base/clock.h"
#include "runtime/base/cpu.h"
#include "runtime/detect/api.h"
#include "runtime/detect/cascade.h"
#include "toolkit/base/random.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <sys/resource.h>
#endif

enum { most_runs = 10000000, least_runs = 5, rnet_batch = 32, onet_batch = 8, most_crops = 100000 };

/* What a worker owns. */
struct room {
    qmt_face_cell *cells; /* P-Net's, as many as a tile has */
    float *values;        /* R- or O-Net's, of a batch */
    qmtcnn_status status;
    qmtcnn_error error;
};

struct bench {
    const char *models, *precision, *size, *image, *format, *sysfs, *kernels;
    bool profile, energy; /* instead of the plain benchmark */
    float seconds;        /* each of the four measurements takes at least this */
    int rnet_crops, onet_crops;
    int width, height;
    qmtcnn_options options;
    qmtcnn_model *model;
    qmtcnn_context *context;
    qmt_image picture;
    qmt_pool *pool;
    qmt_backend backend;
    qmt_tile *tiles;
    size_t tiles_size, tile_count;
    uint8_t *pixels;    /* random, for networks: as many as the largest of tiles and batches */
    struct room *rooms; /* one a worker */
    /* The measurement that is on. */
    qmt_net_id net;
    int crops;
};

/* What is measured: one run of something. */
typedef qmtcnn_status (*measured)(struct bench *bench, qmtcnn_error *error);

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of several runs, milliseconds, after one that warms up. */
static qmtcnn_status measure(struct bench *bench, measured run, double *milliseconds, qmtcnn_error *error)
{
    double *times = NULL;
    size_t capacity = 0, count = 0;
    qmtcnn_status status = run(bench, error);
    const double begin = qmt_seconds();
    while (status == QMTCNN_OK && count < most_runs &&
           (count < least_runs || qmt_seconds() - begin < (double)bench->seconds)) {
        const double start = qmt_seconds();
        status = run(bench, error);
        const double end = qmt_seconds();
        if (status == QMTCNN_OK)
            status = qmt_grow((void **)&times, &capacity, count, count + 1, sizeof *times, error);
        if (status == QMTCNN_OK)
            times[count++] = 1e3 * (end - start);
    }
    if (status == QMTCNN_OK) {
        qsort(times, count, sizeof *times, compare_doubles);
        *milliseconds = count % 2 ? times[count / 2] : 0.5 * (times[count / 2 - 1] + times[count / 2]);
    }
    qmt_free(times);
    return status;
}

static void tile_task(void *state, int index, int worker)
{
    struct bench *bench = state;
    const qmt_tile *tile = &bench->tiles[index];
    qmt_pixels pixels = {bench->pixels, tile->level_width, tile->height, 3 * (ptrdiff_t)tile->level_width};
    struct room *room = &bench->rooms[worker];
    qmt_face_cells cells = {.threshold = bench->options.thresholds[QMT_PNET],
                            .found = room->cells,
                            .room = (size_t)tile->cell_rows * (size_t)tile->cell_columns};
    if (room->status == QMTCNN_OK)
        room->status = bench->backend.run_pnet(bench->backend.state, worker, &pixels, &cells, &room->error);
}

static int batch_size(qmt_net_id net)
{
    return net == QMT_RNET ? rnet_batch : onet_batch;
}

static void batch_task(void *state, int index, int worker)
{
    struct bench *bench = state;
    const int batch = batch_size(bench->net);
    const int left = bench->crops - index * batch;
    const int count = left < batch ? left : batch;
    struct room *room = &bench->rooms[worker];
    float *box = room->values + batch, *landmarks = box + 4 * batch;
    if (room->status == QMTCNN_OK)
        room->status =
            bench->backend.run_crops(bench->backend.state, worker, bench->net, bench->pixels, count, room->values, box,
                                     bench->net == QMT_ONET ? landmarks : NULL, &room->error);
}

static qmtcnn_status run_loop(struct bench *bench, int count, qmt_task task, qmtcnn_error *error)
{
    const int workers = qmt_pool_threads(bench->pool);
    for (int i = 0; i < workers; i++)
        bench->rooms[i].status = QMTCNN_OK;
    qmt_pool_run(bench->pool, count, task, bench);
    for (int i = 0; i < workers; i++) {
        if (bench->rooms[i].status != QMTCNN_OK) {
            if (error)
                *error = bench->rooms[i].error;
            return bench->rooms[i].status;
        }
    }
    return QMTCNN_OK;
}

static qmtcnn_status run_pyramid(struct bench *bench, qmtcnn_error *error)
{
    return run_loop(bench, (int)bench->tile_count, tile_task, error);
}

static qmtcnn_status run_batches(struct bench *bench, qmtcnn_error *error)
{
    const int batch = batch_size(bench->net);
    return run_loop(bench, (bench->crops + batch - 1) / batch, batch_task, error);
}

static qmtcnn_status run_picture(struct bench *bench, qmtcnn_error *error)
{
    const qmtcnn_face *faces;
    size_t count;
    qmtcnn_image view = {.pixels = bench->picture.data,
                         .width = bench->width,
                         .height = bench->height,
                         .stride = 3 * (ptrdiff_t)bench->width,
                         .format = QMTCNN_RGB};
    return qmtcnn_detect(bench->context, &view, &faces, &count, error);
}

/* "640x480" */
static bool parse_size(const char *text, int *width, int *height)
{
    char *end;
    long w = strtol(text, &end, 10);
    if (end == text || (*end != 'x' && *end != 'X'))
        return false;
    const char *second = end + 1;
    long h = strtol(second, &end, 10);
    if (end == second || *end || w < 12 || h < 12 || w > 65535 || h > 65535 || (int64_t)w * h > 1 << 28)
        return false;
    *width = (int)w;
    *height = (int)h;
    return true;
}

static void fill_random(uint8_t *bytes, size_t size)
{
    qmt_random random = qmt_random_stream(1, 0, 0);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)qmt_random_next(&random);
}

/* The picture: the given one, at --size where that is given too; else noise. */
static qmtcnn_status prepare_picture(struct bench *bench, qmtcnn_error *error)
{
    qmt_picture picture = {bench->image, bench->image};
    qmt_image read = {0};
    qmt_resizer resizer = {0};
    qmtcnn_status status = QMTCNN_OK;
    if (bench->image) {
        status = qmt_picture_load(&picture, &read, error);
        if (status == QMTCNN_OK && !bench->size) {
            bench->width = read.width;
            bench->height = read.height;
        }
    }
    if (status == QMTCNN_OK)
        status = qmt_image_create(bench->width, bench->height, &bench->picture, error);
    if (status == QMTCNN_OK && bench->image) {
        qmt_pixels pixels = qmt_image_pixels(&read);
        status = qmt_resize(&resizer, &pixels, 0, 0, read.width, read.height, bench->picture.data, bench->width,
                            bench->height, 3 * (ptrdiff_t)bench->width, error);
    } else if (status == QMTCNN_OK) {
        fill_random(bench->picture.data, 3 * (size_t)bench->width * (size_t)bench->height);
    }
    qmt_resizer_clear(&resizer);
    qmt_image_clear(&read);
    return status;
}

/* Memory for the largest input and output of any network. */
static qmtcnn_status prepare_buffers(struct bench *bench, qmtcnn_error *error)
{
    const size_t values = 15 * rnet_batch; /* of which O-Net's smaller batches need less */
    size_t pixels = 3 * (rnet_batch * 24 * 24 + onet_batch * 48 * 48), most_cells = 1;
    for (size_t i = 0; i < bench->tile_count; i++) {
        const qmt_tile *tile = &bench->tiles[i];
        size_t size = 3 * (size_t)tile->level_width * (size_t)tile->height;
        size_t cells = (size_t)tile->cell_rows * (size_t)tile->cell_columns;
        pixels = size > pixels ? size : pixels;
        most_cells = cells > most_cells ? cells : most_cells;
    }
    const int workers = qmt_pool_threads(bench->pool);
    bench->pixels = qmt_alloc(pixels, 1);
    bench->rooms = qmt_alloc_zero((size_t)workers, sizeof *bench->rooms);
    if (!bench->pixels || !bench->rooms)
        return qmt_fail_memory(error, pixels, "random pixels");
    fill_random(bench->pixels, pixels);
    for (int i = 0; i < workers; i++) {
        bench->rooms[i].cells = qmt_alloc(most_cells, sizeof(qmt_face_cell));
        bench->rooms[i].values = qmt_alloc(values, sizeof(float));
        if (!bench->rooms[i].cells || !bench->rooms[i].values)
            return qmt_fail_memory(error, most_cells * sizeof(qmt_face_cell), "results");
    }
    return QMTCNN_OK;
}

static qmtcnn_status prepare_bench(struct bench *bench, qmtcnn_error *error)
{
    const qmt_network *networks[qmt_net_count];
    qmtcnn_options defaults;
    qmtcnn_status status = qmt_open_models(bench->models, bench->precision, bench->kernels, &bench->model, error);
    if (status != QMTCNN_OK)
        return status;
    qmtcnn_options_default(bench->model, &defaults); /* as a program uses these models */
    defaults.min_face = bench->options.min_face;
    defaults.threads = bench->options.threads;
    bench->options = defaults;
    for (int i = 0; i < qmt_net_count; i++)
        networks[i] = qmt_api_network(bench->model, (qmt_net_id)i);
    status = qmtcnn_context_create(bench->model, &bench->options, &bench->context, error);
    if (status == QMTCNN_OK)
        status = qmt_pool_create(bench->options.threads, &bench->pool, error);
    if (status == QMTCNN_OK)
        status = qmt_backend_create(networks, qmt_pool_threads(bench->pool), &bench->backend, error);
    if (status == QMTCNN_OK)
        status = prepare_picture(bench, error);
    if (status == QMTCNN_OK)
        status = qmt_pyramid_tiles(&bench->backend, bench->width, bench->height, &bench->options,
                                   qmt_pool_threads(bench->pool), &bench->tiles, &bench->tiles_size, &bench->tile_count,
                                   error);
    if (status == QMTCNN_OK)
        status = prepare_buffers(bench, error);
    return status;
}

static void clear_bench(struct bench *bench)
{
    for (int i = 0; bench->rooms && i < qmt_pool_threads(bench->pool); i++) {
        qmt_free(bench->rooms[i].cells);
        qmt_free(bench->rooms[i].values);
    }
    qmt_free(bench->rooms);
    qmt_free(bench->pixels);
    qmt_free(bench->tiles);
    qmt_image_clear(&bench->picture);
    qmt_backend_free(&bench->backend);
    qmt_pool_free(bench->pool);
    qmtcnn_context_free(bench->context);
    qmtcnn_model_close(bench->model);
}

/* The most memory that this process ever had, in MB (10^6 bytes); 0 where the system doesn't tell. */
static double peak_megabytes(void)
{
#ifdef _WIN32
    return 0;
#else
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
#ifdef __APPLE__
    return (double)usage.ru_maxrss / 1e6;
#else
    return (double)usage.ru_maxrss * 1024 / 1e6;
#endif
#endif
}

static qmtcnn_status print_bench(const struct bench *bench, const double ms[4], qmtcnn_error *error)
{
    char cpu[256];
    const char *precision = qmtcnn_model_precision(bench->model) == QMTCNN_PRECISION_INT8 ? "int8" : "fp32";
    const int threads = qmt_pool_threads(bench->pool);
    qmt_cpu_name(cpu, sizeof cpu);
    if (strcmp(bench->format, "json") != 0) {
        printf("%s, %d x %d pixels, faces from %d pixels, %d thread%s, %s\n", precision, bench->width, bench->height,
               bench->options.min_face, threads, threads == 1 ? "" : "s", cpu);
        printf("P-Net   %9.3f ms  pyramid\nR-Net   %9.3f ms  %d crops\nO-Net   %9.3f ms  %d crops\n", ms[0], ms[1],
               bench->rnet_crops, ms[2], bench->onet_crops);
        printf("sum     %9.3f ms\npicture %9.3f ms  whole detection of %s\npeak    %9.1f MB\n", ms[0] + ms[1] + ms[2],
               ms[3], bench->image ? bench->image : "noise", peak_megabytes());
        return QMTCNN_OK;
    }
    json_t *line = json_pack("{s:s,s:i,s:s,s:f,s:f,s:f,s:f,s:f,s:f}", "precision", precision, "threads", threads, "cpu",
                             cpu, "pnet_ms", ms[0], "rnet_ms", ms[1], "onet_ms", ms[2], "network_ms",
                             ms[0] + ms[1] + ms[2], "picture_ms", ms[3], "peak_mb", peak_megabytes());
    int failed = !line || json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) != 0;
    json_decref(line);
    if (failed)
        return qmt_fail(error, QMTCNN_ERROR_IO, "can't write the result");
    putchar('\n');
    return QMTCNN_OK;
}

/* What --profile and --energy ask for. */
static qmtcnn_status run_special(struct bench *bench, qmtcnn_error *error)
{
    qmtcnn_status status = prepare_picture(bench, error);
    const qmt_bench_request request = {.models = bench->models,
                                       .sysfs = bench->sysfs,
                                       .picture = bench->picture.data,
                                       .width = bench->width,
                                       .height = bench->height,
                                       .rnet_crops = bench->rnet_crops,
                                       .onet_crops = bench->onet_crops,
                                       .seconds = bench->seconds,
                                       .options = &bench->options,
                                       .json = strcmp(bench->format, "json") == 0};
    if (status == QMTCNN_OK && bench->profile)
        status = qmt_bench_profile(&request, error);
    if (status == QMTCNN_OK && bench->energy)
        status = qmt_bench_energy(&request, error);
    return status;
}

static qmtcnn_status run_bench(struct bench *bench, qmtcnn_error *error)
{
    double ms[4] = {0};
    if (bench->profile || bench->energy)
        return run_special(bench, error);
    qmtcnn_status status = prepare_bench(bench, error);
    if (status == QMTCNN_OK)
        status = measure(bench, run_pyramid, &ms[0], error);
    bench->net = QMT_RNET;
    bench->crops = bench->rnet_crops;
    if (status == QMTCNN_OK)
        status = measure(bench, run_batches, &ms[1], error);
    bench->net = QMT_ONET;
    bench->crops = bench->onet_crops;
    if (status == QMTCNN_OK)
        status = measure(bench, run_batches, &ms[2], error);
    if (status == QMTCNN_OK)
        status = measure(bench, run_picture, &ms[3], error);
    if (status == QMTCNN_OK)
        status = print_bench(bench, ms, error);
    return status;
}

/* Checks what the option table can't. */
static bool check_bench(struct bench *bench)
{
    bench->width = 640;
    bench->height = 480;
    if (bench->size && !parse_size(bench->size, &bench->width, &bench->height)) {
        fprintf(stderr, "qmtcnn bench detect: --size %s: give WIDTHxHEIGHT, such as 640x480, sides from 12 pixels\n",
                bench->size);
        return false;
    }
    if (bench->rnet_crops < 0 || bench->rnet_crops > most_crops || bench->onet_crops < 0 ||
        bench->onet_crops > most_crops) {
        fprintf(stderr, "qmtcnn bench detect: --rnet-crops and --onet-crops must be in 0 .. %d\n", most_crops);
        return false;
    }
    if (!(bench->seconds >= 0 && bench->seconds <= 3600)) {
        fprintf(stderr, "qmtcnn bench detect: --seconds must be in 0 .. 3600\n");
        return false;
    }
    return true;
}

int qmt_bench_detect(int argc, char **argv)
{
    struct bench bench = {.models = "models/mtcnn_qat",
                          .precision = "auto",
                          .format = "text",
                          .sysfs = "/sys",
                          .seconds = 1,
                          .rnet_crops = 64,
                          .onet_crops = 16};
    qmtcnn_options_default(NULL, &bench.options);
    const qmt_option options[] = {{.name = "models",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &bench.models,
                                   .argument = "DIR",
                                   .help = "folder with pnet.onnx, rnet.onnx, onet.onnx (models/mtcnn_qat)"},
                                  {.name = "precision",
                                   .kind = QMT_OPTION_CHOICE,
                                   .value = &bench.precision,
                                   .argument = "NAME",
                                   .choices = "auto|int8|fp32",
                                   .help = "auto: INT8 where the files have it"},
                                  {.name = "size",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &bench.size,
                                   .argument = "WxH",
                                   .help = "picture size (640x480, or the image's)"},
                                  {.name = "min-face",
                                   .kind = QMT_OPTION_INT,
                                   .value = &bench.options.min_face,
                                   .argument = "N",
                                   .help = "smallest face to look for, pixels (20)"},
                                  {.name = "rnet-crops",
                                   .kind = QMT_OPTION_INT,
                                   .value = &bench.rnet_crops,
                                   .argument = "N",
                                   .help = "crops for R-Net (64)"},
                                  {.name = "onet-crops",
                                   .kind = QMT_OPTION_INT,
                                   .value = &bench.onet_crops,
                                   .argument = "N",
                                   .help = "crops for O-Net (16)"},
                                  {.name = "threads",
                                   .kind = QMT_OPTION_INT,
                                   .value = &bench.options.threads,
                                   .argument = "N",
                                   .help = "threads (1; 0: one per processor)"},
                                  {.name = "kernels",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &bench.kernels,
                                   .argument = "NAME",
                                   .help = "for developers: other kernels than the best, such as c; see qmtcnn info"},
                                  {.name = "image",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &bench.image,
                                   .argument = "FILE",
                                   .help = "picture for the whole detection (noise)"},
                                  {.name = "seconds",
                                   .kind = QMT_OPTION_FLOAT,
                                   .value = &bench.seconds,
                                   .argument = "S",
                                   .help = "time for each measurement (1)"},
                                  {.name = "profile",
                                   .kind = QMT_OPTION_FLAG,
                                   .value = &bench.profile,
                                   .help = "instead: time and bytes by stage and by layer, float against INT8"},
                                  {.name = "energy",
                                   .kind = QMT_OPTION_FLAG,
                                   .value = &bench.energy,
                                   .help = "instead: joules a picture, float against INT8, where there is a meter"},
                                  {.name = "sysfs",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &bench.sysfs,
                                   .argument = "DIR",
                                   .help = "where energy meters are looked for (/sys)"},
                                  {.name = "format",
                                   .kind = QMT_OPTION_CHOICE,
                                   .value = &bench.format,
                                   .argument = "NAME",
                                   .choices = "text|json",
                                   .help = "text or json (text)"},
                                  {.name = NULL}};
    const qmt_usage usage = {
        .synopsis = "qmtcnn bench detect [OPTION]...",
        .text = "Measures detection; all times are medians. The networks run on random pixels: P-Net on all levels\n"
                "of the pyramid, R- and O-Net on fixed numbers of crops, so that engines can be compared.\n"
                "\"picture\" is a whole detection, resizing and suppression included.\n\n"
                "Example:\n"
                "  qmtcnn bench detect --models models/mtcnn_qat --size 1920x1080 --min-face 40 --format json",
        .options = options};
    int inputs = 0;
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    qmtcnn_error error = {0};
    if (!check_bench(&bench))
        return qmt_exit_usage;
    if ((bench.profile || bench.energy) && (bench.kernels || strcmp(bench.precision, "auto") != 0)) {
        fprintf(stderr,
                "qmtcnn bench detect: --profile and --energy compare FP32 with INT8 on the best kernels, so they "
                "take neither --precision nor --kernels\n");
        return qmt_exit_usage;
    }
    if (qmt_options_check(&bench.options, &error) != QMTCNN_OK) {
        fprintf(stderr, "qmtcnn bench detect: %s\n", error.message);
        return qmt_exit_usage;
    }
    qmtcnn_status status = run_bench(&bench, &error);
    clear_bench(&bench);
    return status == QMTCNN_OK ? qmt_exit_done : qmt_command_failed("bench detect", status, &error);
}
