#define _DEFAULT_SOURCE /* clock_gettime */
#include "toolkit/log/events.h"

#include "toolkit/base/file.h"
#include "toolkit/log/event.pb-c.h"
#include "toolkit/log/histogram.h"
#include "toolkit/log/record.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { data_type_string = 7 /* TensorFlow's DT_STRING */, color_rgb = 3, most_tries = 100 };

struct qmt_events {
    FILE *file; /* NULL: a sink */
    char *path;
    qmt_crc crc;
    qmt_buckets buckets;
};

static double wall_time(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* One event as one record. */
static qmtcnn_status write_event(qmt_events *events, QmtEvent__Event *event, qmtcnn_error *error)
{
    uint8_t head[qmt_record_head], tail[qmt_record_tail];
    event->wall_time = wall_time();
    size_t size = qmt_event__event__get_packed_size(event);
    uint8_t *bytes = qmt_alloc(size, 1);
    if (!bytes)
        return qmt_fail_memory(error, size, "an event");
    qmt_event__event__pack(event, bytes);
    qmt_record_frame(&events->crc, bytes, size, head, tail);
    bool sound = fwrite(head, 1, sizeof head, events->file) == sizeof head &&
                 fwrite(bytes, 1, size, events->file) == size &&
                 fwrite(tail, 1, sizeof tail, events->file) == sizeof tail;
    int cause = errno;
    qmt_free(bytes);
    if (!sound)
        return qmt_fail(error, QMTCNN_ERROR_IO, "can't write %s: %s", events->path, strerror(cause));
    return QMTCNN_OK;
}

/* One value in a summary. */
static qmtcnn_status write_value(qmt_events *events, int64_t step, const char *tag, QmtEvent__Value *value,
                                 qmtcnn_error *error)
{
    QmtEvent__Event event = QMT_EVENT__EVENT__INIT;
    QmtEvent__Summary summary = QMT_EVENT__SUMMARY__INIT;
    value->tag = (char *)tag;
    summary.n_value = 1;
    summary.value = &value;
    event.step = step;
    event.what_case = QMT_EVENT__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    return write_event(events, &event, error);
}

/* A file that no other run has: two starts within a second get names of their own. */
static qmtcnn_status make_file(qmt_events *events, const char *folder, qmtcnn_error *error)
{
    long long seconds = (long long)time(NULL);
    qmtcnn_status status = qmt_folder_make(folder, error);
    for (int i = 0; i < most_tries && status == QMTCNN_OK; i++) {
        events->path = i == 0 ? qmt_format("%s/events.out.tfevents.%010lld.qmtcnn", folder, seconds)
                              : qmt_format("%s/events.out.tfevents.%010lld.qmtcnn.%d", folder, seconds, i);
        if (!events->path)
            return qmt_fail_memory(error, strlen(folder) + 64, "a path");
        events->file = fopen(events->path, "wbx");
        if (events->file)
            return QMTCNN_OK;
        if (errno != EEXIST)
            return qmt_fail(error, QMTCNN_ERROR_IO, "can't make %s: %s", events->path, strerror(errno));
        qmt_free(events->path);
        events->path = NULL;
    }
    return status != QMTCNN_OK ? status
                               : qmt_fail(error, QMTCNN_ERROR_IO, "too many event files in %s this second", folder);
}

qmtcnn_status qmt_events_open(const char *folder, qmt_events **result, qmtcnn_error *error)
{
    *result = NULL;
    qmt_events *events = qmt_alloc_zero(1, sizeof *events);
    if (!events)
        return qmt_fail_memory(error, sizeof *events, "an event file");
    qmt_crc_init(&events->crc);
    qmt_buckets_init(&events->buckets);
    qmtcnn_status status = QMTCNN_OK;
    if (folder) {
        QmtEvent__Event event = QMT_EVENT__EVENT__INIT;
        event.what_case = QMT_EVENT__EVENT__WHAT_FILE_VERSION;
        event.file_version = (char *)"brain.Event:2";
        status = make_file(events, folder, error);
        if (status == QMTCNN_OK)
            status = write_event(events, &event, error);
        if (status == QMTCNN_OK)
            status = qmt_events_flush(events, error);
    }
    if (status != QMTCNN_OK)
        qmt_events_close(events);
    else
        *result = events;
    return status;
}

void qmt_events_close(qmt_events *events)
{
    if (!events)
        return;
    if (events->file)
        fclose(events->file);
    qmt_free(events->path);
    qmt_free(events);
}

qmtcnn_status qmt_events_flush(qmt_events *events, qmtcnn_error *error)
{
    if (events->file && fflush(events->file) != 0)
        return qmt_fail(error, QMTCNN_ERROR_IO, "can't write %s: %s", events->path, strerror(errno));
    return QMTCNN_OK;
}

qmtcnn_status qmt_events_scalar(qmt_events *events, int64_t step, const char *tag, float number, qmtcnn_error *error)
{
    if (!events->file)
        return QMTCNN_OK;
    QmtEvent__Value value = QMT_EVENT__VALUE__INIT;
    value.value_case = QMT_EVENT__VALUE__VALUE_SIMPLE_VALUE;
    value.simple_value = number;
    return write_value(events, step, tag, &value, error);
}

qmtcnn_status qmt_events_histogram(qmt_events *events, int64_t step, const char *tag, const float *values, size_t count,
                                   qmtcnn_error *error)
{
    if (!events->file)
        return QMTCNN_OK;
    struct scratch {
        qmt_histogram histogram;
        double limits[qmt_bucket_count], counts[qmt_bucket_count];
    } *scratch = qmt_alloc(1, sizeof *scratch);
    if (!scratch)
        return qmt_fail_memory(error, sizeof *scratch, "a histogram");
    const qmt_histogram *histogram = &scratch->histogram;
    QmtEvent__Histogram histo = QMT_EVENT__HISTOGRAM__INIT;
    QmtEvent__Value value = QMT_EVENT__VALUE__INIT;
    qmt_histogram_fill(&events->buckets, values, count, &scratch->histogram);
    histo.min = histogram->minimum;
    histo.max = histogram->maximum;
    histo.num = histogram->number;
    histo.sum = histogram->sum;
    histo.sum_squares = histogram->sum_squares;
    histo.bucket_limit = scratch->limits;
    histo.bucket = scratch->counts;
    histo.n_bucket_limit = histo.n_bucket =
        qmt_histogram_pack(&events->buckets, histogram, scratch->limits, scratch->counts);
    value.value_case = QMT_EVENT__VALUE__VALUE_HISTO;
    value.histo = &histo;
    qmtcnn_status status = write_value(events, step, tag, &value, error);
    qmt_free(scratch);
    return status;
}

qmtcnn_status qmt_events_image(qmt_events *events, int64_t step, const char *tag, const qmt_image *image,
                               qmtcnn_error *error)
{
    if (!events->file)
        return QMTCNN_OK;
    void *png;
    size_t size;
    qmtcnn_status status = qmt_image_encode_png(image, &png, &size, error);
    if (status != QMTCNN_OK)
        return status;
    QmtEvent__Image picture = QMT_EVENT__IMAGE__INIT;
    QmtEvent__Value value = QMT_EVENT__VALUE__INIT;
    picture.width = image->width;
    picture.height = image->height;
    picture.colorspace = color_rgb;
    picture.encoded_image_string.data = png;
    picture.encoded_image_string.len = size;
    value.value_case = QMT_EVENT__VALUE__VALUE_IMAGE;
    value.image = &picture;
    status = write_value(events, step, tag, &value, error);
    qmt_free(png);
    return status;
}

qmtcnn_status qmt_events_text(qmt_events *events, int64_t step, const char *tag, const char *markdown,
                              qmtcnn_error *error)
{
    if (!events->file)
        return QMTCNN_OK;
    QmtEvent__Value value = QMT_EVENT__VALUE__INIT;
    QmtEvent__SummaryMetadata metadata = QMT_EVENT__SUMMARY_METADATA__INIT;
    QmtEvent__PluginData plugin = QMT_EVENT__PLUGIN_DATA__INIT;
    QmtEvent__Tensor tensor = QMT_EVENT__TENSOR__INIT;
    QmtEvent__TensorShape shape = QMT_EVENT__TENSOR_SHAPE__INIT;
    QmtEvent__Dimension dimension = QMT_EVENT__DIMENSION__INIT, *dimensions = &dimension;
    ProtobufCBinaryData text = {strlen(markdown), (uint8_t *)markdown};
    dimension.size = 1;
    shape.n_dim = 1;
    shape.dim = &dimensions;
    tensor.dtype = data_type_string;
    tensor.tensor_shape = &shape;
    tensor.n_string_val = 1;
    tensor.string_val = &text;
    plugin.plugin_name = (char *)"text";
    metadata.plugin_data = &plugin;
    value.metadata = &metadata;
    value.value_case = QMT_EVENT__VALUE__VALUE_TENSOR;
    value.tensor = &tensor;
    return write_value(events, step, tag, &value, error);
}
