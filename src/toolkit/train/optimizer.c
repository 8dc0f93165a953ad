#include "toolkit/train/optimizer.h"

#include <math.h>
#include <string.h>

enum { sum_lanes = 8 };

/* Moments of one parameter; nothing for buffers. */
typedef struct moments {
    char *name;
    size_t count;
    float *first;  /* SGD: the velocity */
    float *second; /* Adam only */
} moments;

struct qmt_optimizer {
    qmt_train_config config;
    int64_t steps;
    int count;
    moments *items;
};

static qmtcnn_status create_moments(const qmt_train_config *config, const qmt_parameter *parameter, moments *item,
                                    qmtcnn_error *error)
{
    item->name = qmt_copy_string(parameter->name);
    item->count = parameter->count;
    if (parameter->gradient)
        item->first = qmt_alloc_zero(parameter->count, sizeof(float));
    if (parameter->gradient && config->optimizer == QMT_ADAM)
        item->second = qmt_alloc_zero(parameter->count, sizeof(float));
    bool missing = !item->name || (parameter->gradient && !item->first) ||
                   (parameter->gradient && config->optimizer == QMT_ADAM && !item->second);
    if (missing)
        return qmt_fail_memory(error, parameter->count * sizeof(float), "the optimizer's moments");
    return QMTCNN_OK;
}

qmtcnn_status qmt_optimizer_create(const qmt_train_config *config, const qmt_parameter *parameters, int count,
                                   qmt_optimizer **optimizer, qmtcnn_error *error)
{
    *optimizer = NULL;
    qmt_optimizer *made = qmt_alloc_zero(1, sizeof *made);
    if (!made)
        return qmt_fail_memory(error, sizeof *made, "the optimizer");
    made->config = *config;
    made->items = qmt_alloc_zero((size_t)count, sizeof *made->items);
    if (!made->items) {
        qmt_optimizer_free(made);
        return qmt_fail_memory(error, (size_t)count * sizeof *made->items, "the optimizer");
    }
    made->count = count;
    for (int i = 0; i < count; i++) {
        qmtcnn_status status = create_moments(config, &parameters[i], &made->items[i], error);
        if (status != QMTCNN_OK) {
            qmt_optimizer_free(made);
            return status;
        }
    }
    *optimizer = made;
    return QMTCNN_OK;
}

void qmt_optimizer_free(qmt_optimizer *optimizer)
{
    if (!optimizer)
        return;
    for (int i = 0; i < optimizer->count; i++) {
        qmt_free(optimizer->items[i].second);
        qmt_free(optimizer->items[i].first);
        qmt_free(optimizer->items[i].name);
    }
    qmt_free(optimizer->items);
    qmt_free(optimizer);
}

void qmt_optimizer_reset(qmt_optimizer *optimizer)
{
    optimizer->steps = 0;
    for (int i = 0; i < optimizer->count; i++) {
        moments *item = &optimizer->items[i];
        if (item->first)
            memset(item->first, 0, item->count * sizeof(float));
        if (item->second)
            memset(item->second, 0, item->count * sizeof(float));
    }
}

/* Sum of squares: element i goes to lane i mod 8, then the lanes are added in order, whatever the compiler does. */
static double sum_squares(const float *values, size_t count)
{
    double lanes[sum_lanes] = {0}, sum = 0;
    size_t whole = count - count % sum_lanes;
    for (size_t i = 0; i < whole; i += sum_lanes)
        for (size_t k = 0; k < sum_lanes; k++)
            lanes[k] += (double)values[i + k] * (double)values[i + k];
    for (size_t i = whole; i < count; i++)
        lanes[i - whole] += (double)values[i] * (double)values[i];
    for (size_t k = 0; k < sum_lanes; k++)
        sum += lanes[k];
    return sum;
}

static void step_sgd(const qmt_train_config *config, const qmt_parameter *parameter, moments *item, float rate,
                     float scale)
{
    float decay = parameter->decay ? config->weight_decay : 0, momentum = config->momentum;
    for (size_t i = 0; i < item->count; i++) {
        float gradient = parameter->gradient[i] * scale + decay * parameter->value[i];
        item->first[i] = momentum * item->first[i] + gradient;
        parameter->value[i] -= rate * item->first[i];
    }
}

static void step_adam(const qmt_train_config *config, const qmt_parameter *parameter, moments *item, int64_t steps,
                      float rate, float scale)
{
    const float epsilon = 1e-8f;
    float b1 = config->beta1, b2 = config->beta2, decay = parameter->decay ? config->weight_decay : 0;
    float first_factor = (float)(1 / (1 - pow((double)b1, (double)steps)));
    float second_factor = (float)(1 / (1 - pow((double)b2, (double)steps)));
    for (size_t i = 0; i < item->count; i++) {
        float gradient = parameter->gradient[i] * scale;
        item->first[i] = b1 * item->first[i] + (1 - b1) * gradient;
        item->second[i] = b2 * item->second[i] + (1 - b2) * gradient * gradient;
        float change = item->first[i] * first_factor / (sqrtf(item->second[i] * second_factor) + epsilon);
        parameter->value[i] -= rate * (change + decay * parameter->value[i]);
    }
}

qmtcnn_status qmt_optimizer_step(qmt_optimizer *optimizer, const qmt_parameter *parameters, int count, double rate,
                                 double *norm, qmtcnn_error *error)
{
    const qmt_train_config *config = &optimizer->config;
    if (count != optimizer->count)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "the optimizer was made for %d parameters, not %d",
                        optimizer->count, count);
    double sum = 0;
    for (int i = 0; i < count; i++) {
        if (!parameters[i].gradient)
            continue;
        double square = sum_squares(parameters[i].gradient, parameters[i].count);
        if (!isfinite(square))
            return qmt_fail(error, QMTCNN_ERROR_NUMERIC, "the gradient of %s is not finite", parameters[i].name);
        sum += square;
    }
    double length = sqrt(sum), limit = (double)config->gradient_clip;
    float scale = limit > 0 && length > limit ? (float)(limit / length) : 1.0f;
    optimizer->steps++;
    for (int i = 0; i < count; i++) {
        if (!parameters[i].gradient)
            continue;
        if (config->optimizer == QMT_ADAM)
            step_adam(config, &parameters[i], &optimizer->items[i], optimizer->steps, (float)rate, scale);
        else
            step_sgd(config, &parameters[i], &optimizer->items[i], (float)rate, scale);
    }
    if (norm)
        *norm = length;
    return QMTCNN_OK;
}

/* "optimizer.first.conv1.weight", for qmt_free(). */
static char *moment_name(const char *kind, const moments *item)
{
    return qmt_format("optimizer.%s.%s", kind, item->name);
}

static qmtcnn_status save_moment(qmt_tensors_writer *writer, const char *kind, const moments *item, const float *values,
                                 qmtcnn_error *error)
{
    if (!values)
        return QMTCNN_OK;
    char *name = moment_name(kind, item);
    if (!name)
        return qmt_fail_memory(error, 64, "a tensor's name");
    qmtcnn_status status = qmt_tensors_add(writer, name, QMT_F32, 1, &item->count, values, error);
    qmt_free(name);
    return status;
}

qmtcnn_status qmt_optimizer_save(const qmt_optimizer *optimizer, qmt_tensors_writer *writer, qmtcnn_error *error)
{
    size_t one = 1;
    qmtcnn_status status = qmt_tensors_add(writer, "optimizer.steps", QMT_I64, 1, &one, &optimizer->steps, error);
    for (int i = 0; status == QMTCNN_OK && i < optimizer->count; i++) {
        const moments *item = &optimizer->items[i];
        status = save_moment(writer, "first", item, item->first, error);
        if (status == QMTCNN_OK)
            status = save_moment(writer, "second", item, item->second, error);
    }
    return status;
}

static qmtcnn_status load_moment(const qmt_tensors_file *file, const char *kind, const moments *item, float *values,
                                 qmtcnn_error *error)
{
    if (!values)
        return QMTCNN_OK;
    char *name = moment_name(kind, item);
    if (!name)
        return qmt_fail_memory(error, 64, "a tensor's name");
    const void *data;
    qmtcnn_status status = qmt_tensors_get(file, name, QMT_F32, 1, &item->count, &data, error);
    if (status == QMTCNN_OK)
        memcpy(values, data, item->count * sizeof *values);
    qmt_free(name);
    return status;
}

qmtcnn_status qmt_optimizer_load(qmt_optimizer *optimizer, const qmt_tensors_file *file, qmtcnn_error *error)
{
    size_t one = 1;
    const void *data;
    qmtcnn_status status = qmt_tensors_get(file, "optimizer.steps", QMT_I64, 1, &one, &data, error);
    if (status != QMTCNN_OK)
        return status;
    memcpy(&optimizer->steps, data, sizeof optimizer->steps);
    if (optimizer->steps < 0)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "optimizer.steps is negative");
    for (int i = 0; status == QMTCNN_OK && i < optimizer->count; i++) {
        moments *item = &optimizer->items[i];
        status = load_moment(file, "first", item, item->first, error);
        if (status == QMTCNN_OK)
            status = load_moment(file, "second", item, item->second, error);
    }
    return status;
}
