/* `qmtcnn detect`: faces in pictures. */
#include "cli/command.h"

#include "cli/annotate.h"
#include "cli/pictures.h"
#include "runtime/detect/advice.h"
#include "runtime/detect/api.h"
#include "toolkit/base/file.h"
#include "toolkit/base/stop.h"
#include "toolkit/image/image.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct detect {
    const char *models, *precision, *format, *annotate, *clip, *kernels;
    float thresholds[3];  /* not numbers where none are given */
    bool given;           /* the thresholds */
    float fusion, vote;   /* likewise */
    float refined_nms[2]; /* likewise */
    const char *last_nms; /* "union:0.4"; NULL: the models' own */
    qmtcnn_options options;
    qmtcnn_model *model;
    qmtcnn_context *context;
    json_t *written; /* annotated pictures, see annotate.h */
    int failures;
};

/* Reports a picture that can't be used; the others go on. */
static void report(struct detect *detect, const char *path, qmtcnn_status status, const qmtcnn_error *error)
{
    const char *message = error->message;
    detect->failures++;
    /* Most messages name the file themselves. */
    if (strstr(message, path))
        fprintf(stderr, "qmtcnn detect: %s\n", message);
    else
        fprintf(stderr, "qmtcnn detect: %s: %s\n", path, message[0] ? message : qmtcnn_status_name(status));
}

/* ---- Output ---------------------------------------------------------------------------------- */

/* JSON wants UTF-8; file names may be anything. */
static json_t *name_to_json(const char *name)
{
    json_t *text = json_string(name);
    char *copy = text ? NULL : qmt_copy_string(name);
    if (!copy)
        return text;
    for (char *c = copy; *c; c++) {
        if ((unsigned char)*c >= 128)
            *c = '?';
    }
    text = json_string(copy);
    qmt_free(copy);
    return text;
}

static json_t *face_to_json(const qmtcnn_face *face)
{
    json_t *landmarks = json_array();
    for (int i = 0; i < 5; i++)
        json_array_append_new(landmarks,
                              json_pack("[f,f]", (double)face->landmarks[i][0], (double)face->landmarks[i][1]));
    return json_pack("{s:[f,f,f,f],s:f,s:o}", "box", (double)face->x, (double)face->y, (double)face->width,
                     (double)face->height, "score", (double)face->score, "landmarks", landmarks);
}

static qmtcnn_status print_json(const char *name, const qmt_image *image, double milliseconds, const qmtcnn_face *faces,
                                size_t count, qmtcnn_error *error)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, face_to_json(&faces[i]));
    json_t *line = json_pack("{s:o,s:i,s:i,s:f,s:o}", "file", name_to_json(name), "width", image->width, "height",
                             image->height, "milliseconds", milliseconds, "faces", list);
    int failed = !line || json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7)) != 0;
    json_decref(line);
    if (failed)
        return qmt_fail(error, QMTCNN_ERROR_IO, "can't write the result of %s", name);
    putchar('\n');
    return QMTCNN_OK;
}

static void print_csv_name(const char *name)
{
    if (!strpbrk(name, ",\"\r\n")) {
        fputs(name, stdout);
        return;
    }
    putchar('"');
    for (; *name; name++) {
        if (*name == '"')
            putchar('"');
        putchar(*name);
    }
    putchar('"');
}

static void print_csv(const char *name, const qmtcnn_face *faces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const qmtcnn_face *face = &faces[i];
        print_csv_name(name);
        printf(",%.2f,%.2f,%.2f,%.2f,%.6f", (double)face->x, (double)face->y, (double)face->width, (double)face->height,
               (double)face->score);
        for (int k = 0; k < 5; k++)
            printf(",%.2f,%.2f", (double)face->landmarks[k][0], (double)face->landmarks[k][1]);
        putchar('\n');
    }
}

static void print_wider(const char *name, const qmtcnn_face *faces, size_t count)
{
    printf("%s\n%zu\n", name, count);
    for (size_t i = 0; i < count; i++)
        printf("%.2f %.2f %.2f %.2f %.6f\n", (double)faces[i].x, (double)faces[i].y, (double)faces[i].width,
               (double)faces[i].height, (double)faces[i].score);
}

/* ---- One picture ----------------------------------------------------------------------------- */

static qmtcnn_status detect_picture(struct detect *detect, const qmt_picture *picture, qmtcnn_error *error)
{
    qmt_image image = {0};
    const qmtcnn_face *faces;
    size_t count;
    qmtcnn_timing timing;
    qmtcnn_status status = qmt_picture_load(picture, &image, error);
    if (status == QMTCNN_OK) {
        qmtcnn_image view = {.pixels = image.data,
                             .width = image.width,
                             .height = image.height,
                             .stride = 3 * (ptrdiff_t)image.width,
                             .format = QMTCNN_RGB};
        status = qmtcnn_detect(detect->context, &view, &faces, &count, error);
    }
    if (status == QMTCNN_OK) {
        qmtcnn_context_timing(detect->context, &timing);
        if (strcmp(detect->format, "json") == 0)
            status = print_json(picture->path, &image, timing.total_ms, faces, count, error);
        else if (strcmp(detect->format, "csv") == 0)
            print_csv(picture->path, faces, count);
        else
            print_wider(picture->name, faces, count);
        fflush(stdout);
    }
    if (status == QMTCNN_OK && detect->annotate)
        status = qmt_write_annotated(detect->written, detect->annotate, picture, &image, faces, count, error);
    qmt_image_clear(&image);
    return status;
}

static qmtcnn_status visit(void *state, const qmt_picture *picture, qmtcnn_error *error)
{
    struct detect *detect = state;
    qmtcnn_error local = {0};
    if (qmt_stop_requested())
        return qmt_fail(error, QMTCNN_ERROR_INTERRUPTED, "stopped; the lines printed so far are whole");
    qmtcnn_status status = detect_picture(detect, picture, &local);
    if (status != QMTCNN_OK)
        report(detect, picture->path, status, &local);
    if (ferror(stdout))
        return qmt_fail(error, QMTCNN_ERROR_IO,
                        "can't write to standard output: is the disk full, or the reader gone?");
    return QMTCNN_OK;
}

/* ---- The command ----------------------------------------------------------------------------- */

static qmtcnn_status open_detector(struct detect *detect, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_open_models(detect->models, detect->precision, detect->kernels, &detect->model, error);
    if (status != QMTCNN_OK)
        return status;
    qmtcnn_options defaults;
    qmtcnn_options_default(detect->model, &defaults);
    if (!detect->given)
        memcpy(detect->options.thresholds, defaults.thresholds, sizeof defaults.thresholds);
    if (isnan(detect->fusion))
        detect->options.fusion = defaults.fusion;
    if (detect->options.fusion == defaults.fusion)
        detect->options.fusion_odds = defaults.fusion_odds;
    if (isnan(detect->vote))
        detect->options.vote = defaults.vote;
    if (isnan(detect->refined_nms[0]))
        memcpy(detect->options.refined_nms, defaults.refined_nms, sizeof defaults.refined_nms);
    if (!detect->last_nms) {
        detect->options.nms[3] = defaults.nms[3];
        detect->options.last_overlap = defaults.last_overlap;
    }
    return qmtcnn_context_create(detect->model, &detect->options, &detect->context, error);
}

static qmtcnn_status detect_all(struct detect *detect, char **inputs, int count, qmtcnn_error *error)
{
    if (strcmp(detect->format, "csv") == 0)
        puts("file,x,y,width,height,score,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y,"
             "left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y");
    for (int i = 0; i < count; i++) {
        qmtcnn_error local = {0};
        qmtcnn_status status = qmt_pictures_visit(inputs[i], visit, detect, &local);
        if (status == QMTCNN_ERROR_INTERRUPTED || ferror(stdout)) {
            if (error)
                *error = local;
            return status;
        }
        if (status != QMTCNN_OK)
            report(detect, inputs[i], status, &local);
    }
    if (fflush(stdout) != 0)
        return qmt_fail(error, QMTCNN_ERROR_IO, "can't write to standard output: is the disk full?");
    return QMTCNN_OK;
}

/* The options as the library takes them; false, and a message, where one is out of range. */
static bool check_options(struct detect *detect, qmtcnn_error *error)
{
    detect->given = !isnan(detect->thresholds[0]);
    if (detect->given)
        memcpy(detect->options.thresholds, detect->thresholds, sizeof detect->thresholds);
    detect->options.fusion = isnan(detect->fusion) ? 0 : detect->fusion;
    detect->options.vote = isnan(detect->vote) ? 0 : detect->vote;
    if (!isnan(detect->refined_nms[0]))
        memcpy(detect->options.refined_nms, detect->refined_nms, sizeof detect->refined_nms);
    if (detect->last_nms &&
        !qmt_last_nms_parse(detect->last_nms, &detect->options.last_overlap, &detect->options.nms[3])) {
        qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                 "--last-nms is '%.40s'; give union:IOU or min:SHARE, 0 to 1, such as union:0.4", detect->last_nms);
        return false;
    }
    detect->options.clip = strcmp(detect->clip, "none") == 0 ? QMTCNN_CLIP_NONE : QMTCNN_CLIP_IMAGE;
    return qmt_options_check(&detect->options, error) == QMTCNN_OK;
}

static int run_detect(int argc, char **argv)
{
    struct detect detect = {.models = "models/mtcnn_qat",
                            .precision = "auto",
                            .format = "json",
                            .clip = "image",
                            .thresholds = {NAN, NAN, NAN},
                            .fusion = NAN,
                            .vote = NAN,
                            .refined_nms = {NAN, NAN}};
    qmtcnn_options_default(NULL, &detect.options);
    detect.options.threads = 0;
    const qmt_option options[] = {{.name = "models",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &detect.models,
                                   .argument = "DIR",
                                   .help = "folder with pnet.onnx, rnet.onnx, onet.onnx (models/mtcnn_qat)"},
                                  {.name = "precision",
                                   .kind = QMT_OPTION_CHOICE,
                                   .value = &detect.precision,
                                   .argument = "NAME",
                                   .choices = "auto|int8|fp32",
                                   .help = "auto: INT8 where the files have it"},
                                  {.name = "min-face",
                                   .kind = QMT_OPTION_INT,
                                   .value = &detect.options.min_face,
                                   .argument = "N",
                                   .help = "smallest face to look for, pixels (20)"},
                                  {.name = "max-face",
                                   .kind = QMT_OPTION_INT,
                                   .value = &detect.options.max_face,
                                   .argument = "N",
                                   .help = "largest face to look for, pixels (0: no limit)"},
                                  {.name = "scale-factor",
                                   .kind = QMT_OPTION_FLOAT,
                                   .value = &detect.options.scale_factor,
                                   .argument = "F",
                                   .help = "ratio of neighboring pyramid levels (0.709)"},
                                  {.name = "thresholds",
                                   .kind = QMT_OPTION_FLOATS,
                                   .value = detect.thresholds,
                                   .argument = "P,R,O",
                                   .count = 3,
                                   .help = "scores to pass each network (the models' own)"},
                                  {.name = "fuse",
                                   .kind = QMT_OPTION_FLOAT,
                                   .value = &detect.fusion,
                                   .argument = "W",
                                   .help = "weight of R-Net's score in the last: 0, .25, .5, .75 (the models' own)"},
                                  {.name = "nms",
                                   .kind = QMT_OPTION_FLOATS,
                                   .value = detect.options.nms,
                                   .argument = "L,P,R",
                                   .count = 3,
                                   .help = "suppress at: P-Net in a level, over levels, R-Net (.5,.7,.7)"},
                                  {.name = "last-nms",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &detect.last_nms,
                                   .argument = "RULE:T",
                                   .help = "last suppression: union:IOU or min:SHARE (the models' own)"},
                                  {.name = "vote",
                                   .kind = QMT_OPTION_FLOAT,
                                   .value = &detect.vote,
                                   .argument = "T",
                                   .help = "faces are means of boxes from this IoU on (the models' own)"},
                                  {.name = "refined-nms",
                                   .kind = QMT_OPTION_FLOATS,
                                   .value = detect.refined_nms,
                                   .argument = "P,R",
                                   .count = 2,
                                   .help = "suppress corrected boxes at this IoU; 0: not (the models' own)"},
                                  {.name = "max-proposals",
                                   .kind = QMT_OPTION_INT,
                                   .value = &detect.options.max_proposals,
                                   .argument = "N",
                                   .help = "best boxes of P-Net that go on (10000)"},
                                  {.name = "clip",
                                   .kind = QMT_OPTION_CHOICE,
                                   .value = &detect.clip,
                                   .argument = "HOW",
                                   .choices = "image|none",
                                   .help = "cut boxes at the picture's border, or leave them (image)"},
                                  {.name = "threads",
                                   .kind = QMT_OPTION_INT,
                                   .value = &detect.options.threads,
                                   .argument = "N",
                                   .help = "threads (0: one per processor)"},
                                  {.name = "kernels",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &detect.kernels,
                                   .argument = "NAME",
                                   .help = "for developers: other kernels than the best, such as c; see qmtcnn info"},
                                  {.name = "format",
                                   .kind = QMT_OPTION_CHOICE,
                                   .value = &detect.format,
                                   .argument = "NAME",
                                   .choices = "json|csv|wider",
                                   .help = "json: a line a picture; csv: a line a face; wider: WIDER FACE's"},
                                  {.name = "annotate",
                                   .kind = QMT_OPTION_TEXT,
                                   .value = &detect.annotate,
                                   .argument = "DIR",
                                   .help = "also write the pictures with boxes, landmarks and scores"},
                                  {.name = NULL}};
    const qmt_usage usage = {
        .synopsis = "qmtcnn detect [OPTION]... INPUT...",
        .text = "Finds faces in pictures (JPEG, PNG), in all pictures of folders, or, for -, in one picture from\n"
                "standard input. Pictures are turned upright as their EXIF data say. Pictures that can't be read are\n"
                "reported, the others go on, and the exit status is 1.\n\n"
                "A line of JSON for each picture: file, width, height, milliseconds, and faces, each with its box\n"
                "[x, y, width, height] in pixels, score, and landmarks [x, y] of the left and right eye, nose, left\n"
                "and right corner of the mouth, left and right as seen in the picture.\n\n"
                "Example:\n"
                "  qmtcnn detect --models models/mtcnn_qat --annotate found photo.jpg holiday/",
        .options = options,
        .min_inputs = 1,
        .max_inputs = -1};
    int inputs = 0;
    qmt_parse_result parsed = qmt_parse_options(argc, argv, &usage, &inputs);
    if (parsed != QMT_PARSED)
        return qmt_parse_exit(parsed);
    qmtcnn_error error = {0};
    if (!check_options(&detect, &error)) {
        fprintf(stderr, "qmtcnn detect: %s\n", error.message);
        return qmt_exit_usage;
    }
    qmt_stop_watch();
    detect.written = json_object();
    qmtcnn_status status = open_detector(&detect, &error);
    if (status == QMTCNN_OK)
        status = detect_all(&detect, argv + 1, inputs, &error);
    json_decref(detect.written);
    qmtcnn_context_free(detect.context);
    qmtcnn_model_close(detect.model);
    if (status != QMTCNN_OK)
        return qmt_command_failed("detect", status, &error);
    return detect.failures ? qmt_exit_failed : qmt_exit_done;
}

const qmt_command qmt_command_detect = {"detect", "find faces in pictures", run_detect};
