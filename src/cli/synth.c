#include "toolkit/data/synth.h"
#include "cli/command.h"
#include "toolkit/base/stop.h"

#include <stdio.h>

static const char synopsis[] = "qmtcnn synth --out DIR [--images N] [--val-images N] [--seed S] [OPTION]...";
static const char text[] =
    "Draws a face data set: people of many looks before cluttered backgrounds, with exact boxes and five\n"
    "landmarks a face, in WIDER FACE's layout (WIDER_train, WIDER_val, wider_face_split,\n"
    "landmarks_train.txt, landmarks_val.txt). The same seed gives the same pictures, for any number of\n"
    "threads. A stopped run goes on where it was.\n"
    "\n"
    "Example:\n"
    "  qmtcnn synth --out faces --images 2000 --val-images 300";

static int run(int argc, char **argv)
{
    enum { default_images = 1000 };
    qmt_config config;
    const char *out = NULL;
    qmtcnn_error error = {0};
    int inputs = 0;
    const qmt_option options[] = {{.name = "out",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &out,
                                   .argument = "DIR",
                                   .help = "folder for the data set; made if it is missing",
                                   .required = true},
                                  {.name = "images",
                                   .kind = QMT_OPTION_CONFIG,
                                   .value = &config,
                                   .argument = "N",
                                   .key = "synth.images",
                                   .help = "pictures to train on; without this and --val-images: 1000"},
                                  {.name = "val-images",
                                   .kind = QMT_OPTION_CONFIG,
                                   .value = &config,
                                   .argument = "N",
                                   .key = "synth.val_images",
                                   .help = "pictures held out, split val; without this and --images: 200"},
                                  {.name = "seed",
                                   .kind = QMT_OPTION_CONFIG,
                                   .value = &config,
                                   .argument = "S",
                                   .key = "run.seed",
                                   .help = "another seed, other pictures"},
                                  {.name = "threads",
                                   .kind = QMT_OPTION_CONFIG,
                                   .value = &config,
                                   .argument = "N",
                                   .key = "run.threads",
                                   .help = "0: one per processor"},
                                  {.name = NULL}};
    const qmt_usage usage = {.synopsis = synopsis, .text = text, .options = options, .config = &config};
    qmt_config_default(&config);
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    qmt_synth_config *synth = &config.synth;
    if (synth->images == 0 && synth->val_images == 0) {
        synth->images = default_images;
        synth->val_images = default_images / 5;
    }
    qmt_stop_watch();
    qmtcnn_status status = qmt_synth_write(synth, config.run.seed, out, config.run.threads, &error);
    if (status != QMTCNN_OK)
        return qmt_command_failed(argv[0], status, &error);
    printf("%s: %d pictures to train on, %d held out\n", out, synth->images, synth->val_images);
    return qmt_exit_done;
}

const qmt_command qmt_command_synth = {"synth", "draw a synthetic face data set", run};
