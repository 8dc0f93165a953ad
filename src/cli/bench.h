/* The two benchmarks. */
#ifndef QMT_CLI_BENCH_H
#define QMT_CLI_BENCH_H

#include "cli/command.h"

/* `qmtcnn bench detect`: parses, measures, prints; returns the exit status. */
int qmt_bench_detect(int argc, char **argv);

#endif
