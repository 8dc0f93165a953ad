#include "cli/command.h"
#include "cli/results.h"
#include "toolkit/config/json.h"
#include "toolkit/evaluate/stage.h"
#include "toolkit/report/mistakes.h"
#include "toolkit/report/report.h"

#include <stdio.h>
#include <string.h>

static const char synopsis[] = "qmtcnn eval --data DIR --models DIR [OPTION]...\n"
                               "       qmtcnn eval --predictions DIR --ground-truth DIR|--data DIR [OPTION]...";
static const char text[] =
    "Tells how good a detector is: average precision, also by face size and, where WIDER FACE's .mat\n"
    "files are at hand, in its easy, medium and hard settings; recall at 0.1 and 1 false alarms a\n"
    "picture; precision and recall at the detector's threshold; landmark error. With --stage it tells\n"
    "how many faces one network keeps, over its threshold. The second form evaluates anyone's WIDER FACE\n"
    "submission files (EVENT/FILE.txt); no pictures are needed. Every figure comes with its protocol.\n"
    "\n"
    "Examples:\n"
    "  qmtcnn eval --data WIDER --models models/mtcnn_qat --precision int8\n"
    "  qmtcnn eval --data WIDER --models models/mtcnn_qat --stage pnet\n"
    "  qmtcnn eval --predictions submission --ground-truth eval_tools/ground_truth --format json";

enum { worst_examples = 6, best_examples = 6, most_options = 24 };

struct request {
    qmt_result_request result;
    const char *models, *precision, *stage, *predictions, *ground_truth, *save, *mistakes;
};

static qmtcnn_precision precision_of(const char *name)
{
    return qmt_is(name, "int8")   ? QMTCNN_PRECISION_INT8
           : qmt_is(name, "fp32") ? QMTCNN_PRECISION_FP32
                                  : QMTCNN_PRECISION_AUTO;
}

static qmtcnn_status give_evaluation(const qmt_result_request *result, const qmt_evaluation *evaluation,
                                     const qmt_examples *examples, qmtcnn_error *error)
{
    if (qmt_is(result->format, "json"))
        return qmt_give_json(result, qmt_evaluation_json(evaluation), error);
    if (!qmt_is(result->format, "html"))
        return qmt_give_text(result, qmt_evaluation_text(evaluation), error);
    qmt_report report = {.title = "qmtcnn: evaluation", .subtitle = evaluation->detector, .examples = examples};
    if (qmt_is(evaluation->precision, "int8"))
        report.int8 = evaluation;
    else
        report.fp32 = evaluation;
    return qmt_give_page(result, &report, error);
}

static qmtcnn_status evaluate_stage(const struct request *request, const qmt_dataset *dataset, qmtcnn_error *error)
{
    const qmt_config *config = &request->result.config;
    const qmtcnn_options options = qmt_evaluate_options(config);
    qmt_network_source sources[qmt_net_count];
    qmt_stage_result result;
    qmt_net_id net = qmt_is(request->stage, "rnet") ? QMT_RNET : qmt_is(request->stage, "onet") ? QMT_ONET : QMT_PNET;
    qmt_sources_all(sources, request->models, precision_of(request->precision));
    qmtcnn_status status =
        qmt_stage_evaluate(sources, net, dataset, config, &options, config->run.threads, &result, error);
    if (status != QMTCNN_OK)
        return status;
    if (qmt_is(request->result.format, "json"))
        return qmt_give_json(&request->result, qmt_stage_json(&result), error);
    if (!qmt_is(request->result.format, "html"))
        return qmt_give_text(&request->result, qmt_stage_text(&result), error);
    qmt_report report = {
        .title = "qmtcnn: recall of one network", .subtitle = request->models, .stages = &result, .stage_count = 1};
    return qmt_give_page(&request->result, &report, error);
}

static qmtcnn_status evaluate_models(const struct request *request, const qmt_dataset *dataset,
                                     qmt_evaluation *evaluation, qmtcnn_error *error)
{
    const qmt_config *config = &request->result.config;
    const qmtcnn_options options = qmt_evaluate_options(config);
    qmt_network_source sources[qmt_net_count];
    qmt_detector *detector = NULL;
    qmt_detections *detections = NULL;
    qmt_examples examples = {0};
    qmt_sources_all(sources, request->models, precision_of(request->precision));
    qmtcnn_status status = qmt_detector_open(sources, QMT_ONET, &detector, error);
    if (status == QMTCNN_OK)
        status = qmt_evaluate(detector, request->models, dataset, request->ground_truth, config, &options,
                              config->run.threads, evaluation, &detections, error);
    if (status == QMTCNN_OK && request->save)
        status = qmt_submission_write(detections, request->save, error);
    if (status == QMTCNN_OK && request->save)
        status = qmt_config_write_beside(config, request->save, error);
    if (status == QMTCNN_OK && request->mistakes)
        status = qmt_mistakes_write(dataset, detections, config, request->mistakes, error);
    if (status == QMTCNN_OK && qmt_is(request->result.format, "html"))
        status = qmt_examples_make(dataset, detections, config, worst_examples, best_examples, &examples, error);
    if (status == QMTCNN_OK)
        status = give_evaluation(&request->result, evaluation, &examples, error);
    qmt_examples_clear(&examples);
    qmt_detections_free(detections);
    qmt_detector_close(detector);
    return status;
}

static qmtcnn_status evaluate(const struct request *request, qmtcnn_error *error)
{
    const qmt_config *config = &request->result.config;
    qmt_dataset *dataset = NULL;
    qmt_evaluation *evaluation = qmt_alloc(1, sizeof *evaluation);
    qmtcnn_status status = QMTCNN_OK;
    if (!evaluation)
        return qmt_fail_memory(error, sizeof *evaluation, "an evaluation");
    if (!request->ground_truth || !request->predictions)
        status = qmt_dataset_open_as(&config->data, config->data.dir, request->result.split, &dataset, error);
    if (status == QMTCNN_OK && request->predictions) {
        status = request->ground_truth
                     ? qmt_evaluate_predictions(request->predictions, request->ground_truth, evaluation, error)
                     : qmt_evaluate_predictions_on(request->predictions, dataset, config, evaluation, error);
        if (status == QMTCNN_OK)
            status = give_evaluation(&request->result, evaluation, NULL, error);
    } else if (status == QMTCNN_OK) {
        status = request->stage ? evaluate_stage(request, dataset, error)
                                : evaluate_models(request, dataset, evaluation, error);
    }
    qmt_dataset_free(dataset);
    qmt_free(evaluation);
    return status;
}

/* What no single option shows. NULL: all is well. */
static const char *wrong_use(const struct request *request)
{
    if (request->predictions && !request->ground_truth && !request->result.config.data.dir[0])
        return "--predictions needs --ground-truth, the folder of WIDER FACE's .mat files, or --data, a data set";
    if (request->predictions && (request->models || request->stage || request->save || request->mistakes))
        return "--predictions goes with --ground-truth or --data, not with --models, --stage, --save-detections or "
               "--mistakes";
    if (request->predictions && request->ground_truth && request->result.config.data.dir[0])
        return "--predictions are judged by --ground-truth or by --data; give one of them";
    if (!request->predictions && !request->result.config.data.dir[0])
        return "give --data DIR (and --models DIR), or --predictions DIR and --ground-truth DIR";
    if (!request->predictions && !request->models)
        return "option --models is missing";
    if (request->stage && (request->save || request->mistakes))
        return "--save-detections and --mistakes are about final boxes: leave --stage out";
    return NULL;
}

static int run(int argc, char **argv)
{
    struct request request = {0};
    qmt_config *config = &request.result.config;
    qmtcnn_error error = {0};
    int inputs = 0;
    qmt_result_request_init(&request.result);
    const qmt_option own[] = {
        {.name = "models",
         .kind = QMT_OPTION_TEXT,
         .value = &request.models,
         .argument = "DIR",
         .help = "folder with pnet.onnx, rnet.onnx, onet.onnx"},
        {.name = "precision",
         .kind = QMT_OPTION_CHOICE,
         .value = &request.precision,
         .choices = "int8|fp32",
         .help = "default: INT8 where the files hold it"},
        {.name = "stage",
         .kind = QMT_OPTION_CHOICE,
         .value = &request.stage,
         .choices = "pnet|rnet|onet",
         .help = "recall of one network by itself"},
        {.name = "predictions",
         .kind = QMT_OPTION_TEXT,
         .value = &request.predictions,
         .argument = "DIR",
         .help = "WIDER FACE submission files to evaluate"},
        {.name = "ground-truth",
         .kind = QMT_OPTION_TEXT,
         .value = &request.ground_truth,
         .argument = "DIR",
         .help = "folder with wider_{easy,medium,hard}_val.mat; with --data they are looked for in its folder"},
        {.name = "min-face",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "N",
         .key = "detect.min_face",
         .help = "smallest face side that the detector looks for; the smallest that counts is evaluate.min_face"},
        {.name = "thresholds",
         .kind = QMT_OPTION_CONFIG,
         .value = config,
         .argument = "P,R,O",
         .key = "evaluate.thresholds",
         .help = "scores to pass each network; low ones give the whole curve (default .3,.3,.1)"},
        {.name = "save-detections",
         .kind = QMT_OPTION_TEXT,
         .value = &request.save,
         .argument = "DIR",
         .help = "write the boxes as WIDER FACE submission files, and the settings to DIR.config.yaml"},
        {.name = "mistakes",
         .kind = QMT_OPTION_TEXT,
         .value = &request.mistakes,
         .argument = "DIR",
         .help = "draw the best scored false alarms and the missed faces as contact sheets there"},
        {0},
    };
    qmt_option options[most_options];
    qmt_result_options(&request.result, own, options, most_options);
    const qmt_usage usage = {.synopsis = synopsis, .text = text, .options = options, .config = config};
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    const char *wrong = wrong_use(&request);
    if (wrong) {
        fprintf(stderr, "qmtcnn eval: %s\nTry 'qmtcnn eval --help'.\n", wrong);
        return qmt_exit_usage;
    }
    qmtcnn_status status = evaluate(&request, &error);
    return status == QMTCNN_OK ? qmt_exit_done : qmt_command_failed("eval", status, &error);
}

const qmt_command qmt_command_eval = {"eval", "how good a detector is: AP, recall, landmarks, each network", run};
