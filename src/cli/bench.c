/* `qmtcnn bench`: how fast detection (bench_detect.c) and training are on this computer. */
#include "cli/bench.h"

#include "runtime/base/threads.h"
#include "toolkit/config/nearest.h"
#include "toolkit/train/train.h"

#include <stdio.h>
#include <string.h>

/* ---- bench train ----------------------------------------------------------------------------- */

static int parse_net(const char *name)
{
    int net = 0;
    while (net < qmt_net_count - 1 && strcmp(qmt_net_name((qmt_net_id)net), name) != 0)
        net++;
    return net;
}

static int bench_train(int argc, char **argv)
{
    const char *net = "onet", *mode = "fp32", *format = "text";
    int threads = 1;
    float seconds = 5;
    const qmt_option options[] = {
        {.name = "net",
         .kind = QMT_OPTION_CHOICE,
         .value = &net,
         .argument = "NAME",
         .choices = "pnet|rnet|onet",
         .help = "network (onet)"},
        {.name = "mode",
         .kind = QMT_OPTION_CHOICE,
         .value = &mode,
         .argument = "NAME",
         .choices = "fp32|qat",
         .help = "plain or quantization-aware training (fp32)"},
        {.name = "threads",
         .kind = QMT_OPTION_INT,
         .value = &threads,
         .argument = "N",
         .help = "threads (1; 0: one per processor)"},
        {.name = "seconds", .kind = QMT_OPTION_FLOAT, .value = &seconds, .argument = "S", .help = "how long (5)"},
        {.name = "format",
         .kind = QMT_OPTION_CHOICE,
         .value = &format,
         .argument = "NAME",
         .choices = "text|json",
         .help = "text or json (text)"},
        {.name = NULL}};
    const qmt_usage usage = {.synopsis = "qmtcnn bench train [OPTION]...",
                             .text = "Measures training steps (forward, backward, optimizer) on random samples.\n\n"
                                     "Example:\n"
                                     "  qmtcnn bench train --net onet --mode qat --threads 2",
                             .options = options};
    int inputs = 0;
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    if (!(seconds > 0 && seconds <= 3600) || threads < 0 || threads > 256) {
        fprintf(stderr, "qmtcnn bench train: --seconds must be over 0 and at most 3600, --threads in 0 .. 256\n");
        return qmt_exit_usage;
    }
    if (threads == 0)
        threads = qmt_processor_count();
    qmt_train_speed speed;
    qmtcnn_error error = {0};
    qmtcnn_status status =
        qmt_train_bench((qmt_net_id)parse_net(net), strcmp(mode, "qat") == 0, threads, (double)seconds, &speed, &error);
    if (status != QMTCNN_OK)
        return qmt_command_failed("bench train", status, &error);
    if (strcmp(format, "json") == 0)
        printf("{\"net\":\"%s\",\"mode\":\"%s\",\"threads\":%d,\"batch\":%d,\"samples_per_second\":%.1f,"
               "\"peak_fraction\":%.4f}\n",
               net, mode, threads, speed.batch, speed.samples_per_second, speed.peak_fraction);
    else
        printf("%s %s, %d thread%s, batch %d: %.0f samples a second, %.1f %% of the multiply-add peak\n", net, mode,
               threads, threads == 1 ? "" : "s", speed.batch, speed.samples_per_second, 100 * speed.peak_fraction);
    return qmt_exit_done;
}

/* ---- The command ----------------------------------------------------------------------------- */

static const struct benchmark {
    const char *name, *full; /* as messages should name it */
    int (*run)(int argc, char **argv);
} benchmarks[] = {{"detect", "bench detect", qmt_bench_detect}, {"train", "bench train", bench_train}};

enum { benchmark_count = sizeof benchmarks / sizeof benchmarks[0] };

static int unknown_benchmark(const char *name)
{
    qmt_nearest nearest;
    qmt_nearest_start(&nearest, name);
    for (int i = 0; i < benchmark_count; i++)
        qmt_nearest_try(&nearest, benchmarks[i].name);
    const char *found = qmt_nearest_found(&nearest);
    fprintf(stderr, "qmtcnn bench: no benchmark is called '%s'%s%s%s\nTry 'qmtcnn bench --help'.\n", name,
            found ? "; did you mean '" : "", found ? found : "", found ? "'?" : "");
    return qmt_exit_usage;
}

static int run_bench_command(int argc, char **argv)
{
    static const char usage[] = "Usage: qmtcnn bench detect|train [OPTION]...\n\n"
                                "Measures speed: of detection, or of training. `qmtcnn bench detect --help` and\n"
                                "`qmtcnn bench train --help` list the options of each.\n\n"
                                "Examples:\n"
                                "  qmtcnn bench detect --models models/mtcnn_qat --precision int8\n"
                                "  qmtcnn bench train --net onet --mode qat --threads 2\n\n"
                                "Options:\n"
                                "  --help  show this text\n";
    char full[32];
    const bool help = argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (help || argc < 2) {
        fputs(usage, help ? stdout : stderr);
        return help ? qmt_exit_done : qmt_exit_usage;
    }
    for (int i = 0; i < benchmark_count; i++) {
        if (strcmp(argv[1], benchmarks[i].name) != 0)
            continue;
        snprintf(full, sizeof full, "%s", benchmarks[i].full);
        argv[1] = full;
        return benchmarks[i].run(argc - 1, argv + 1);
    }
    return unknown_benchmark(argv[1]);
}

const qmt_command qmt_command_bench = {"bench", "measure speed: bench detect, bench train", run_bench_command};
