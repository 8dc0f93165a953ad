#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toolkit/base/file.h"
#include "toolkit/log/progress.h"
#include "toolkit/pipeline/run.h"
#include "toolkit/report/report.h"

enum { text_limit = 16 * 1024 * 1024, worst_examples = 6, best_examples = 10, max_steps = 16 };

/* Everything that the report shows; freed in one place. */
struct results {
    qmt_dataset *train, *val;
    qmt_check_summary train_summary, val_summary;
    char *manifests[qmt_net_count], *histories[qmt_net_count];
    qmt_comparison *comparison;
    qmt_stage_result stages[2 * qmt_net_count];
    size_t stage_count;
    qmt_examples examples;
    qmt_real_results real;
    qmt_evaluation *real_evaluations[qmt_variant_count];
    qmt_report_step steps[max_steps];
    char step_names[max_steps][32];
    size_t step_count;
};

static void ignore_problem(void *state, const qmt_problem *problem)
{
    (void)state;
    (void)problem;
}

static qmtcnn_status open_data(const qmt_run *run, struct results *results, qmtcnn_error *error)
{
    int threads = run->config->run.threads;
    qmtcnn_status status = qmt_run_open_data(run, "train", &results->train, error);
    if (status == QMTCNN_OK)
        status = qmt_run_open_data(run, "val", &results->val, error);
    if (status == QMTCNN_OK)
        status =
            qmt_dataset_check(results->train, false, threads, ignore_problem, NULL, &results->train_summary, error);
    if (status == QMTCNN_OK)
        status = qmt_dataset_check(results->val, false, threads, ignore_problem, NULL, &results->val_summary, error);
    if (status != QMTCNN_OK)
        return status;
    size_t problems = results->train_summary.problems + results->val_summary.problems;
    if (problems > 0)
        qmt_log_warning("%zu rows or pictures of the data set have problems: see `qmtcnn info %s`", problems,
                        run->data);
    return QMTCNN_OK;
}

/* A file's text for the page; NULL, without an error, where it is missing. */
static char *read_text(const char *folder, const char *net, const char *name)
{
    void *data = NULL;
    size_t size;
    char *path = qmt_format("%s/%s/%s", folder, net, name);
    if (path)
        qmt_file_read(path, text_limit, &data, &size, NULL);
    qmt_free(path);
    return data;
}

static void read_records(const qmt_run *run, struct results *results)
{
    for (int net = 0; net < qmt_net_count; net++) {
        results->manifests[net] = read_text(run->samples, qmt_net_name((qmt_net_id)net), "manifest.json");
        results->histories[net] = read_text(run->checkpoints, qmt_net_name((qmt_net_id)net), "history.json");
    }
}

/* Recall of each network by itself, in FP32 and in INT8. */
static qmtcnn_status measure_stages(const qmt_run *run, const char *int8, struct results *results, qmtcnn_error *error)
{
    const qmt_config *config = run->config;
    qmtcnn_options options = qmt_evaluate_options(config);
    qmtcnn_status status = QMTCNN_OK;
    for (int precision = 0; precision < 2; precision++)
        for (int net = 0; status == QMTCNN_OK && net < qmt_net_count; net++) {
            qmt_network_source sources[qmt_net_count];
            qmt_sources_all(sources, precision ? int8 : run->models[QMT_VARIANT_FP32],
                            precision ? QMTCNN_PRECISION_AUTO : QMTCNN_PRECISION_FP32);
            status = qmt_stage_evaluate(sources, (qmt_net_id)net, results->val, config, &options, config->run.threads,
                                        &results->stages[results->stage_count], error);
            results->stage_count += status == QMTCNN_OK;
        }
    return status;
}

/* The models on real pictures, where training was on synthetic ones. */
static qmtcnn_status measure_real(const qmt_run *run, struct results *results, qmtcnn_error *error)
{
    const qmt_config *config = run->config;
    const char *folder = config->evaluate.real_data;
    qmt_dataset *dataset = NULL;
    if (!folder[0])
        return QMTCNN_OK;
    qmtcnn_status status = qmt_run_open_real(run, &dataset, error);
    for (int v = 0; status == QMTCNN_OK && v < qmt_variant_count; v++) {
        bool fp32 = v == QMT_VARIANT_FP32;
        if (v == QMT_VARIANT_QAT && !config->quantize.qat)
            continue;
        qmt_evaluation *evaluation = qmt_alloc(1, sizeof *evaluation);
        if (!evaluation) {
            status = qmt_fail_memory(error, sizeof *evaluation, "an evaluation");
            break;
        }
        results->real_evaluations[v] = evaluation;
        status = qmt_evaluate_models(run->models[v], fp32 ? QMTCNN_PRECISION_FP32 : QMTCNN_PRECISION_AUTO, dataset,
                                     config, evaluation, NULL, error);
    }
    qmt_dataset_free(dataset);
    results->real.name = folder;
    /* Without QAT the calibrated networks are the INT8 ones. */
    qmt_evaluation *const *found = results->real_evaluations;
    results->real.evaluations[0] = found[QMT_VARIANT_FP32];
    results->real.evaluations[1] = config->quantize.qat ? found[QMT_VARIANT_PTQ] : NULL;
    results->real.evaluations[2] = found[config->quantize.qat ? QMT_VARIANT_QAT : QMT_VARIANT_PTQ];
    return status;
}

static void add_step(const qmt_run *run, struct results *results, const char *name)
{
    if (results->step_count == max_steps)
        return;
    double seconds = qmt_step_seconds(&run->steps, name);
    char *copy = results->step_names[results->step_count];
    if (seconds < 0)
        return;
    snprintf(copy, sizeof results->step_names[0], "%s", name);
    results->steps[results->step_count++] = (qmt_report_step){.name = copy, .seconds = seconds};
}

static void read_times(const qmt_run *run, struct results *results)
{
    char name[32];
    add_step(run, results, "synth");
    for (int net = 0; net < qmt_net_count; net++) {
        snprintf(name, sizeof name, "prepare-%s", qmt_net_name((qmt_net_id)net));
        add_step(run, results, name);
        snprintf(name, sizeof name, "train-%s", qmt_net_name((qmt_net_id)net));
        add_step(run, results, name);
    }
    if (run->config->calibrate.scores)
        add_step(run, results, "calibrate");
    add_step(run, results, "export");
}

static char *picture_path(const qmt_run *run, bool worst, int number)
{
    return qmt_format("%s/pictures/%s-%02d.jpg", run->report, worst ? "mistakes" : "found", number);
}

/* Those of an earlier report that had more than `count`. */
static qmtcnn_status remove_pictures_after(const qmt_run *run, bool worst, int count, qmtcnn_error *error)
{
    for (bool there = true; there;) {
        char *path = picture_path(run, worst, ++count);
        if (!path)
            return qmt_fail_memory(error, qmt_path_size, "a path");
        there = qmt_file_exists(path) && remove(path) == 0;
        qmt_free(path);
    }
    return QMTCNN_OK;
}

static qmtcnn_status write_pictures(const qmt_run *run, const qmt_examples *examples, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    int worst = 0, best = 0;
    for (size_t i = 0; status == QMTCNN_OK && i < examples->count; i++) {
        const qmt_example *example = &examples->items[i];
        char *path = picture_path(run, example->worst, example->worst ? ++worst : ++best);
        status = path ? qmt_file_write(path, example->jpeg, example->size, error)
                      : qmt_fail_memory(error, qmt_path_size, "a path");
        qmt_free(path);
    }
    if (status == QMTCNN_OK)
        status = remove_pictures_after(run, true, worst, error);
    return status == QMTCNN_OK ? remove_pictures_after(run, false, best, error) : status;
}

static qmtcnn_status write_json(const qmt_run *run, const qmt_report *report, qmtcnn_error *error)
{
    char *path = qmt_format("%s/report.json", run->report);
    json_t *json = qmt_report_json(report);
    char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    qmtcnn_status status = path && text ? qmt_file_write(path, text, strlen(text), error)
                                        : qmt_fail_memory(error, qmt_path_size, "the report as JSON");
    free(text);
    json_decref(json);
    qmt_free(path);
    return status;
}

static qmtcnn_status write_page(const qmt_run *run, const struct results *results, qmtcnn_error *error)
{
    bool synthetic = !run->config->data.dir[0];
    qmt_report report = {.title = "From pictures to INT8 models",
                         .subtitle = synthetic ? "Trained and checked on synthetic faces" : results->val->folder,
                         .config = run->config,
                         .data_name = results->val->folder,
                         .train_data = &results->train_summary,
                         .val_data = &results->val_summary,
                         .stages = results->stages,
                         .stage_count = results->stage_count,
                         .comparison = results->comparison,
                         .real = synthetic || results->real.name ? &results->real : NULL,
                         .examples = &results->examples,
                         .steps = results->steps,
                         .step_count = results->step_count};
    for (int net = 0; net < qmt_net_count; net++) {
        report.manifests[net] = results->manifests[net];
        report.histories[net] = results->histories[net];
    }
    char *path = qmt_format("%s/index.html", run->report);
    qmtcnn_status status = write_pictures(run, &results->examples, error);
    if (status == QMTCNN_OK)
        status = write_json(run, &report, error);
    if (status == QMTCNN_OK)
        status = path ? qmt_report_write(&report, path, error) : qmt_fail_memory(error, qmt_path_size, "a path");
    qmt_free(path);
    return status;
}

static void print_real(const qmt_run *run, const qmt_real_results *real)
{
    if (!real->name && !run->config->data.dir[0])
        printf(
            "\nAll figures are of synthetic pictures. What this detector reaches on real ones was not measured: give "
            "--real-data DIR.\n");
    if (!real->name)
        return;
    printf("\nOn real pictures, the val split of %s (%zu faces): AP %.4f FP32", real->name, real->evaluations[0]->faces,
           real->evaluations[0]->ap);
    if (real->evaluations[1])
        printf(", %.4f PTQ", real->evaluations[1]->ap);
    printf(", %.4f INT8\n", real->evaluations[2]->ap);
}

static void print_summary(const qmt_run *run, const struct results *results)
{
    char *text = qmt_comparison_text(results->comparison);
    if (text)
        fputs(text, stdout);
    qmt_free(text);
    print_real(run, &results->real);
    printf("\nReport: %s/index.html\nPictures: %s/pictures/\n", run->report, run->report);
}

static void results_free(struct results *results)
{
    qmt_examples_clear(&results->examples);
    qmt_comparison_free(results->comparison);
    for (int v = 0; v < qmt_variant_count; v++)
        qmt_free(results->real_evaluations[v]);
    for (int net = 0; net < qmt_net_count; net++) {
        qmt_free(results->manifests[net]);
        qmt_free(results->histories[net]);
    }
    qmt_dataset_free(results->val);
    qmt_dataset_free(results->train);
    qmt_free(results);
}

qmtcnn_status qmt_run_report(const qmt_run *run, qmtcnn_error *error)
{
    const qmt_config *config = run->config;
    bool qat = config->quantize.qat;
    const char *int8 = run->models[qat ? QMT_VARIANT_QAT : QMT_VARIANT_PTQ];
    qmt_compare_options options = {.fp32 = run->models[QMT_VARIANT_FP32],
                                   .int8 = int8,
                                   .ptq = qat ? run->models[QMT_VARIANT_PTQ] : NULL,
                                   .stages = true,
                                   .min_retention = config->evaluate.min_retention,
                                   .threads = config->run.threads};
    struct results *results = qmt_alloc_zero(1, sizeof *results);
    if (!results)
        return qmt_fail_memory(error, sizeof *results, "the report");
    qmtcnn_status status = open_data(run, results, error);
    if (status == QMTCNN_OK)
        status = qmt_compare(results->val, config, &options, &results->comparison, error);
    if (status == QMTCNN_OK)
        status = measure_stages(run, int8, results, error);
    if (status == QMTCNN_OK)
        status = measure_real(run, results, error);
    if (status == QMTCNN_OK)
        status = qmt_examples_make(results->val, results->comparison->found_int8, config, worst_examples, best_examples,
                                   &results->examples, error);
    if (status == QMTCNN_OK) {
        read_records(run, results);
        read_times(run, results);
        status = write_page(run, results, error);
    }
    if (status == QMTCNN_OK)
        print_summary(run, results);
    results_free(results);
    return status;
}

qmtcnn_status qmt_run_judge(const qmt_run *run, qmtcnn_error *error)
{
    void *data = NULL;
    size_t size = 0;
    char *path = qmt_format("%s/report.json", run->report);
    if (!path)
        return qmt_fail_memory(error, qmt_path_size, "a path");
    qmtcnn_status status = qmt_file_read(path, text_limit, &data, &size, error);
    json_t *report = status == QMTCNN_OK ? json_loadb(data, size, 0, NULL) : NULL;
    const json_t *comparison = json_object_get(report, "comparison");
    const json_t *retention = json_object_get(comparison, "retention");
    const double wanted = (double)run->config->evaluate.min_retention;
    if (status == QMTCNN_OK && !comparison)
        status = qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s is damaged; remove it and give the same command again", path);
    else if (status == QMTCNN_OK && json_is_null(retention) && wanted > 0)
        status =
            qmt_fail(error, QMTCNN_ERROR_NUMERIC,
                     "all steps are done, but FP32's average precision is 0, so there is nothing for INT8 to keep; "
                     "see %s/index.html",
                     run->report);
    else if (status == QMTCNN_OK && json_is_number(retention) && !json_is_true(json_object_get(comparison, "passes")))
        status = qmt_fail(error, QMTCNN_ERROR_NUMERIC,
                          "all steps are done, but INT8 keeps %.4f of FP32's average precision, less than "
                          "evaluate.min_retention %.4f; see %s/index.html",
                          json_number_value(retention), wanted, run->report);
    json_decref(report);
    qmt_free(data);
    qmt_free(path);
    return status;
}
