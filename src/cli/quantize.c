/* qmtcnn quantize: INT8 without training. */
#include "toolkit/deploy/quantize.h"
#include "cli/command.h"
#include "cli/pictures.h"
#include "toolkit/base/file.h"
#include "toolkit/config/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Names of pictures, gathered. */
struct list {
    char **names;
    size_t count, capacity;
};

static qmtcnn_status add_picture(void *state, const qmt_picture *picture, qmtcnn_error *error)
{
    struct list *list = state;
    qmtcnn_status status =
        qmt_grow((void **)&list->names, &list->capacity, list->count, list->count + 1, sizeof *list->names, error);
    if (status != QMTCNN_OK)
        return status;
    list->names[list->count] = qmt_copy_string(picture->path);
    if (!list->names[list->count])
        return qmt_fail_memory(error, strlen(picture->path) + 1, "a file name");
    list->count++;
    return QMTCNN_OK;
}

/* Of a data set only the training pictures: the others are to measure on. */
static qmtcnn_status list_pictures(const char *data, struct list *list, qmtcnn_error *error)
{
    static const char *const training[] = {"WIDER_train/images", "images/train"};
    if (!qmt_file_exists(data) && !qmt_folder_exists(data))
        return qmt_fail(error, QMTCNN_ERROR_IO, "%s: there is no such picture or folder", data);
    for (size_t i = 0; i < sizeof training / sizeof training[0]; i++) {
        char *folder = qmt_path_join(data, training[i]);
        if (!folder)
            return qmt_fail_memory(error, strlen(data) + 32, "a path");
        bool there = qmt_folder_exists(folder);
        qmtcnn_status status = there ? qmt_pictures_visit(folder, add_picture, list, error) : QMTCNN_OK;
        qmt_free(folder);
        if (there)
            return status;
    }
    return qmt_pictures_visit(data, add_picture, list, error);
}

static void free_list(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        qmt_free(list->names[i]);
    qmt_free(list->names);
}

static void print_results(const qmt_quantized results[qmt_net_count])
{
    printf("%-5s %-12s %-10s %10s %11s %9s\n", "net", "layer", "arithmetic", "range", "clipped [%]", "SQNR [dB]");
    for (int net = 0; net < qmt_net_count; net++)
        for (int i = 0; i < results[net].report.count; i++) {
            const qmt_ptq_layer *layer = &results[net].report.layers[i];
            printf("%-5s %-12s %-10s %10.4g %11.4f ", qmt_net_name((qmt_net_id)net), layer->name,
                   layer->int8 ? "int8" : "fp32", (double)layer->input_range, 100 * layer->clipped);
            if (isinf(layer->sqnr))
                printf("%9s\n", "exact");
            else
                printf("%9.2f\n", layer->sqnr);
        }
}

static int run(int argc, char **argv)
{
    const char *models = NULL, *data = NULL, *out = NULL;
    qmt_config config;
    qmtcnn_error error = {0};
    int inputs;
    qmt_config_default(&config);
    const qmt_option options[] = {
        {"models", QMT_OPTION_TEXT, &models, "DIR", "folder of FP32 models: pnet.onnx, rnet.onnx, onet.onnx", NULL,
         NULL, 0, true},
        {"data", QMT_OPTION_TEXT, &data, "PICTURES",
         "pictures like those that the detector will see: a folder, a file, or a data set "
         "(of which the training pictures are taken)",
         NULL, NULL, 0, true},
        {"out", QMT_OPTION_TEXT, &out, "DIR", "folder for the INT8 models", NULL, NULL, 0, true},
        {"keep", QMT_OPTION_CONFIG, &config, "LAYER,...", "layers that stay FP32, such as pnet/conv1,onet/heads", NULL,
         "quantize.keep_fp32", 0, false},
        {"samples", QMT_OPTION_CONFIG, &config, "N", "inputs of each network to calibrate on (default 1024)", NULL,
         "quantize.ptq_samples", 0, false},
        {"observer", QMT_OPTION_CONFIG, &config, "NAME",
         "how ranges of activations are found: minmax, average, histogram (a percentile), mse "
         "or entropy (default mse)",
         NULL, "quantize.calibration_observer", 0, false},
        {"threads", QMT_OPTION_CONFIG, &config, "N", "threads (default: one per processor)", NULL, "run.threads", 0,
         false},
        {NULL, QMT_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, 0, false}};
    const qmt_usage usage = {
        .synopsis = "qmtcnn quantize --models DIR --data PICTURES --out DIR [OPTION]...",
        .text = "Makes INT8 models from FP32 ones without training, with QuantizeLinear and DequantizeLinear by\n"
                "TensorRT's rules; names and metadata stay. The cascade runs on up to 256 of the pictures, and\n"
                "what each network gets there sets its scales, rounds its weights and corrects its biases.\n"
                "Prints, for each layer, the range of its input, the share of values beyond it, and the signal\n"
                "to quantization noise ratio of what it computes.\n\n"
                "Example:\n"
                "  qmtcnn quantize --models models/mtcnn_fp32 --data pictures --out models/mtcnn_ptq",
        .options = options,
        .config = &config};
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    struct list list = {0};
    qmt_quantized results[qmt_net_count];
    qmtcnn_status status = list_pictures(data, &list, &error);
    if (status == QMTCNN_OK) {
        const qmt_quantize_request request = {models, out, (const char *const *)list.names, list.count};
        status = qmt_quantize_models(&request, &config, results, &error);
    }
    if (status == QMTCNN_OK)
        status = qmt_config_write_into(&config, out, &error);
    if (status == QMTCNN_OK)
        print_results(results);
    free_list(&list);
    return status == QMTCNN_OK ? qmt_exit_done : qmt_command_failed("quantize", status, &error);
}

const qmt_command qmt_command_quantize = {"quantize", "make INT8 models without training", run};
