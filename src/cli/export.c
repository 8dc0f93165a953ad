/* qmtcnn export: checkpoints in, ONNX files out. */
#include "cli/command.h"
#include "toolkit/config/json.h"
#include "toolkit/deploy/deploy.h"

#include <stdio.h>
#include <string.h>

static qmt_variant variant_of(const char *name)
{
    return strcmp(name, "fp32") == 0 ? QMT_VARIANT_FP32 : strcmp(name, "ptq") == 0 ? QMT_VARIANT_PTQ : QMT_VARIANT_QAT;
}

static int run(int argc, char **argv)
{
    const char *checkpoint = NULL, *out = NULL, *variant = "qat";
    bool script = false;
    qmt_config config;
    qmtcnn_error error;
    int inputs;
    qmt_config_default(&config);
    const qmt_option options[] = {
        {"checkpoint", QMT_OPTION_TEXT, &checkpoint, "DIR", "folder of checkpoints, with pnet, rnet and onet in it",
         NULL, NULL, 0, true},
        {"out", QMT_OPTION_TEXT, &out, "DIR", "folder for pnet.onnx, rnet.onnx and onet.onnx", NULL, NULL, 0, true},
        {"variant", QMT_OPTION_CHOICE, &variant, NULL,
         "trained for INT8 (qat, default), calibrated only (ptq), or without INT8", "qat|ptq|fp32", NULL, 0, false},
        {"profile", QMT_OPTION_CONFIG, &config, "NAME|FILE",
         "tensor names: upright (default), caffe, or a YAML file with input, face, box, landmarks, landmark_order",
         NULL, "export.profile", 0, false},
        {"target", QMT_OPTION_CONFIG, &config, "NAME",
         "whose quantization rules the files follow: tensorrt (default), or onnxruntime, whose QLinearConv wants INT8 "
         "weights, INT32 biases and uint8 activations",
         NULL, "export.target", 0, false},
        {"weight-bits", QMT_OPTION_CONFIG, &config, "N",
         "onnxruntime: 8 (default), or 7 for x86 processors without VNNI, where its sums saturate with 8", NULL,
         "export.weight_bits", 0, false},
        {"opset", QMT_OPTION_CONFIG, &config, "N", "ONNX operator set, 13 (default) to 17", NULL, "export.opset", 0,
         false},
        {"thresholds", QMT_OPTION_CONFIG, &config, "P,R,O", "scores to pass, kept in the files for the detector", NULL,
         "detect.thresholds", 0, false},
        {"fuse", QMT_OPTION_CONFIG, &config, "W",
         "weight of R-Net's score in the last one, kept likewise: 0, .25, .5, .75", NULL, "detect.fusion", 0, false},
        {"last-nms", QMT_OPTION_CONFIG, &config, "RULE:T",
         "the last suppression, kept likewise: union:IOU or min:SHARE", NULL, "detect.last_nms", 0, false},
        {"vote", QMT_OPTION_CONFIG, &config, "T", "IoU from which boxes vote on a face's place, kept likewise; 0: none",
         NULL, "detect.vote", 0, false},
        {"refined-nms", QMT_OPTION_CONFIG, &config, "P,R",
         "IoU to suppress P-Net's and R-Net's corrected boxes at, kept likewise; 0: not", NULL, "detect.refined_nms", 0,
         false},
        {"generate-trt-script", QMT_OPTION_FLAG, &script, NULL,
         "also write build_tensorrt_engines.sh and .bat, which build engines on the target", NULL, NULL, 0, false},
        {NULL, QMT_OPTION_FLAG, NULL, NULL, NULL, NULL, NULL, 0, false}};
    const qmt_usage usage = {
        .synopsis = "qmtcnn export --checkpoint DIR --out DIR [OPTION]...",
        .text = "Writes trained networks as ONNX files, with QuantizeLinear and DequantizeLinear where they are\n"
                "INT8, by TensorRT's rules for explicit quantization or in the form that ONNX Runtime fuses.\n"
                "config.yaml beside them holds the settings; each file's metadata tells how it was trained.\n\n"
                "Example:\n"
                "  qmtcnn export --checkpoint checkpoints --out models/mtcnn_qat --generate-trt-script\n"
                "  qmtcnn export --checkpoint checkpoints --out models/mtcnn_ort --target onnxruntime --weight-bits 7",
        .options = options,
        .config = &config};
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    if (script && strcmp(config.export.target, "tensorrt") != 0) {
        fprintf(stderr, "qmtcnn export: --generate-trt-script goes with --target tensorrt\n");
        return qmt_exit_usage;
    }
    qmtcnn_status status = qmt_export(checkpoint, variant_of(variant), &config, out, &error);
    if (status == QMTCNN_OK && script)
        status = qmt_write_tensorrt_scripts(out, &config, &error);
    if (status == QMTCNN_OK)
        status = qmt_config_write_into(&config, out, &error);
    return status == QMTCNN_OK ? qmt_exit_done : qmt_command_failed("export", status, &error);
}

const qmt_command qmt_command_export = {"export", "write trained networks as ONNX files", run};
