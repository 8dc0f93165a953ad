/* The two benchmarks, and what `bench detect` can say besides. */
#ifndef QMT_CLI_BENCH_H
#define QMT_CLI_BENCH_H

#include "cli/command.h"

/* `qmtcnn bench detect`: parses, measures, prints; returns the exit status. */
int qmt_bench_detect(int argc, char **argv);

/* What to measure on; everything is borrowed. */
typedef struct qmt_bench_request {
    const char *models;     /* folder */
    const char *sysfs;      /* where energy meters are: "/sys" */
    const uint8_t *picture; /* RGB, packed */
    int width, height;
    int rnet_crops, onet_crops;
    float seconds; /* each measurement takes at least this */
    const qmtcnn_options *options;
    bool json;
} qmt_bench_request;

/* Time and bytes by stage and by layer, float against INT8 where the files have it, on one thread. Prints. */
qmtcnn_status qmt_bench_profile(const qmt_bench_request *request, qmtcnn_error *error);
/* Joules a picture, float against INT8. Prints; where there is no meter, that and why. */
qmtcnn_status qmt_bench_energy(const qmt_bench_request *request, qmtcnn_error *error);

#endif
