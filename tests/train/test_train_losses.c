/* The multi-task loss: values by hand, gradients against central differences in double precision. */
#include "common/test.h"

#include "toolkit/base/random.h"
#include "toolkit/train/losses.h"

#include <math.h>
#include <string.h>

enum { groups = 2, samples = groups * qmt_lanes, numbers = qmt_head_channels * qmt_lanes };

typedef struct batch {
    qmt_label labels[samples];
    float output[groups][numbers], gradient[groups][numbers];
    const float *outputs[groups];
    float *gradients[groups];
} batch;

static void fill(batch *made, uint64_t seed)
{
    const qmt_sample_class mix[7] = {QMT_NEGATIVE, QMT_POSITIVE, QMT_PART,    QMT_LANDMARK,
                                     QMT_NEGATIVE, QMT_LANDMARK, QMT_NEGATIVE};
    qmt_random random = qmt_random_stream(seed, 0, 0);
    for (int i = 0; i < samples; i++) {
        made->labels[i].sample_class = mix[i % 7];
        for (int k = 0; k < 4; k++)
            made->labels[i].box[k] = qmt_random_range(&random, -0.3f, 0.3f);
        for (int k = 0; k < 10; k++)
            made->labels[i].landmarks[k] = qmt_random_float(&random);
    }
    for (int g = 0; g < groups; g++) {
        for (int i = 0; i < numbers; i++)
            made->output[g][i] = qmt_random_range(&random, -2, 2);
        made->outputs[g] = made->output[g];
        made->gradients[g] = made->gradient[g];
    }
}

static qmt_train_config config_for(qmt_class_loss classes, qmt_regression_loss regression)
{
    return (qmt_train_config){.class_loss = classes,
                              .ohem_keep = 0.7f,
                              .focal_gamma = 2,
                              .focal_alpha = 0.25f,
                              .box_loss = regression,
                              .landmark_loss = regression == QMT_LOSS_GIOU ? QMT_LOSS_WING : regression,
                              .class_weight = 1,
                              .box_weight = 0.5f,
                              .landmark_weight = 0.75f};
}

static qmt_loss_values compute(const qmt_train_config *config, batch *made)
{
    qmtcnn_error error;
    qmt_losses *losses = NULL;
    qmt_loss_values values;
    assert_ok(qmt_losses_create(config, groups, NULL, &losses, &error), &error);
    assert_ok(qmt_losses_compute(losses, made->labels, made->outputs, made->gradients, &values, &error), &error);
    qmt_losses_free(losses);
    return values;
}

/* The same loss again in double precision, written the straight way: softmax, then logarithm. */
static double class_term(const qmt_train_config *config, const batch *made, const double *output, int i)
{
    double z0 = output[(i / qmt_lanes) * numbers + i % qmt_lanes];
    double z1 = output[(i / qmt_lanes) * numbers + qmt_lanes + i % qmt_lanes];
    bool face = made->labels[i].sample_class == QMT_POSITIVE;
    double p = exp(face ? z1 : z0) / (exp(z0) + exp(z1));
    double other = (double)config->label_smoothing / 2;
    if (config->class_loss != QMT_CLASS_FOCAL)
        return -(1 - other) * log(p) - other * log(1 - p);
    double alpha = (double)config->focal_alpha;
    return -(face ? alpha : 1 - alpha) * pow(1 - p, (double)config->focal_gamma) * log(p);
}

/* The intervals [a0, a1] and [b0, b1]: the length of what both cover. */
static double common(double a0, double a1, double b0, double b1)
{
    double length = fmin(a1, b1) - fmax(a0, b0);
    return length > 0 ? length : 0;
}

/* 1 - generalized IoU, by its definition. */
static double giou_term(const double *output, int i, const float *target)
{
    double p[4], t[4];
    for (int k = 0; k < 4; k++) {
        p[k] = output[(i / qmt_lanes) * numbers + (2 + k) * qmt_lanes + i % qmt_lanes] + k / 2;
        t[k] = (double)target[k] + k / 2;
    }
    double own = p[2] > p[0] && p[3] > p[1] ? (p[2] - p[0]) * (p[3] - p[1]) : 0;
    double both = own > 0 ? common(p[0], p[2], t[0], t[2]) * common(p[1], p[3], t[1], t[3]) : 0;
    double either = own + (t[2] - t[0]) * (t[3] - t[1]) - both;
    double hull = (fmax(p[2], t[2]) - fmin(p[0], t[0])) * (fmax(p[3], t[3]) - fmin(p[1], t[1]));
    return 1 - (both / either - (hull - either) / hull);
}

static double regression_term(qmt_regression_loss kind, const double *output, int i, int first, int count,
                              const float *target)
{
    double sum = 0;
    if (kind == QMT_LOSS_GIOU)
        return giou_term(output, i, target);
    for (int k = 0; k < count; k++) {
        double d =
            fabs(output[(i / qmt_lanes) * numbers + (first + k) * qmt_lanes + i % qmt_lanes] - (double)target[k]);
        if (kind == QMT_LOSS_WING)
            sum += d < 0.15625 ? 0.15625 * log(1 + d / 0.03125) : d - 0.15625 * (1 - log(6));
        else
            sum += kind == QMT_LOSS_MSE ? d * d : d < 0.1 ? d * d / 0.2 : d - 0.05;
    }
    return sum;
}

/* The `keep` largest of the class losses, found by taking the largest again and again. */
static double reference_loss(const qmt_train_config *config, const batch *made, const double *output)
{
    double terms[samples], classes = 0, box = 0, landmarks = 0;
    int class_count = 0, box_count = 0, landmark_count = 0;
    for (int i = 0; i < samples; i++) {
        qmt_sample_class kind = made->labels[i].sample_class;
        if (kind == QMT_NEGATIVE || kind == QMT_POSITIVE)
            terms[class_count++] = class_term(config, made, output, i);
        if (kind == QMT_POSITIVE || kind == QMT_PART) {
            box += regression_term(config->box_loss, output, i, 2, 4, made->labels[i].box);
            box_count++;
        }
        if (kind == QMT_LANDMARK) {
            landmarks += regression_term(config->landmark_loss, output, i, 6, 10, made->labels[i].landmarks);
            landmark_count++;
        }
    }
    int keep = config->class_loss == QMT_CLASS_OHEM ? (int)floor(0.7 * class_count + 0.5) : class_count;
    for (int k = 0; k < keep; k++) {
        int largest = 0;
        for (int i = 1; i < class_count; i++)
            if (terms[i] > terms[largest])
                largest = i;
        classes += terms[largest];
        terms[largest] = -1;
    }
    return (double)config->class_weight * classes / keep + (double)config->box_weight * box / box_count +
           (double)config->landmark_weight * landmarks / landmark_count;
}

static void check_gradient(qmt_class_loss classes, qmt_regression_loss regression)
{
    qmt_train_config config = config_for(classes, regression);
    config.label_smoothing = regression == QMT_LOSS_WING ? 0.1f : 0;
    batch made;
    static double output[groups * numbers];
    fill(&made, 7);
    for (int i = 0; i < groups * numbers; i++)
        output[i] = (double)made.output[i / numbers][i % numbers];
    qmt_loss_values values = compute(&config, &made);
    assert_true(fabs(values.total - reference_loss(&config, &made, output)) < 1e-12 * fabs(values.total) + 1e-12);
    double largest = 0;
    for (int i = 0; i < groups * numbers; i++)
        largest = fmax(largest, fabs((double)made.gradient[i / numbers][i % numbers]));
    for (int i = 0; i < groups * numbers; i++) {
        const double h = 1e-6, kept = output[i];
        output[i] = kept + h;
        double above = reference_loss(&config, &made, output);
        output[i] = kept - h;
        double slope = (above - reference_loss(&config, &made, output)) / (2 * h);
        output[i] = kept;
        double got = (double)made.gradient[i / numbers][i % numbers];
        assert_true(fabs(got - slope) <= 1e-4 * fmax(fabs(slope), 1e-3 * largest));
    }
}

static void gradients_match_central_differences(void **state)
{
    (void)state;
    const qmt_class_loss classes[] = {QMT_CLASS_PLAIN, QMT_CLASS_OHEM, QMT_CLASS_FOCAL};
    for (int i = 0; i < 3; i++) {
        check_gradient(classes[i], QMT_LOSS_MSE);
        check_gradient(classes[i], QMT_LOSS_SMOOTH_L1);
        check_gradient(classes[i], QMT_LOSS_WING);
        check_gradient(classes[i], QMT_LOSS_GIOU);
    }
}

/* All outputs 0 and all targets 0.05 (inside the smooth L1's bowl) or 0.3 (on its slope). */
static void values_by_hand(void **state)
{
    (void)state;
    batch made;
    fill(&made, 1);
    memset(made.output, 0, sizeof made.output);
    for (int i = 0; i < samples; i++) {
        for (int k = 0; k < 4; k++)
            made.labels[i].box[k] = k < 2 ? 0.05f : 0.3f;
        for (int k = 0; k < 10; k++)
            made.labels[i].landmarks[k] = 0.5f;
    }
    qmt_train_config config = config_for(QMT_CLASS_PLAIN, QMT_LOSS_SMOOTH_L1);
    config.landmark_loss = QMT_LOSS_MSE;
    qmt_loss_values values = compute(&config, &made);
    double box = 2 * (0.0025 / 0.2) + 2 * (0.3 - 0.05);
    assert_true(fabs(values.classes - log(2)) < 1e-7);
    assert_true(fabs(values.box - box) < 1e-6);
    assert_true(fabs(values.landmarks - 10 * 0.25) < 1e-6);
    assert_true(fabs(values.total - (log(2) + 0.5 * box + 0.75 * 2.5)) < 1e-6);
    /* 32 samples in the mix of 7: N P T L N L N. */
    assert_int_equal(values.class_samples, 14 + 4);
    assert_int_equal(values.box_samples, 10);
    assert_int_equal(values.landmark_samples, 9);
    config.class_loss = QMT_CLASS_FOCAL;
    values = compute(&config, &made);
    double negatives = 13, positives = 5;
    assert_true(fabs(values.classes - (negatives * 0.75 + positives * 0.25) / 18 * 0.25 * log(2)) < 1e-7);
}

/* 20 samples count; 6 of them are equally hard, and two places are left for those. */
static void ohem_breaks_ties_by_place(void **state)
{
    (void)state;
    batch made;
    fill(&made, 3);
    memset(made.output, 0, sizeof made.output);
    for (int i = 0; i < samples; i++)
        made.labels[i].sample_class = i < 20 ? QMT_NEGATIVE : QMT_PART;
    float lead[20] = {3, 1, -9, 3, 1, -9, 3, 1, -9, 3, 1, 3, 1, -9, 3, 1, 3, 3, 3, 3};
    int equal = 0, hard = 0;
    for (int i = 0; i < 20; i++) {
        made.output[i / qmt_lanes][qmt_lanes + i % qmt_lanes] = lead[i];
        equal += lead[i] == 1;
        hard += lead[i] == 3;
    }
    assert_int_equal(equal, 6);
    assert_int_equal(hard, 10);
    qmt_train_config config = config_for(QMT_CLASS_OHEM, QMT_LOSS_MSE);
    config.ohem_keep = 0.6f; /* 12 of 20 */
    qmt_loss_values values = compute(&config, &made);
    assert_int_equal(values.class_kept, 12);
    assert_int_equal(values.class_samples, 20);
    int seen = 0;
    for (int i = 0; i < 20; i++) {
        float slope = made.gradient[i / qmt_lanes][qmt_lanes + i % qmt_lanes];
        bool expected = lead[i] == 3 || (lead[i] == 1 && seen++ < 2);
        assert_int_equal(slope != 0, expected);
    }
    assert_true(fabs(values.classes - (10 * log1p(exp(3)) + 2 * log1p(exp(1))) / 12) < 1e-6);
    config.ohem_keep = 0.01f;
    assert_int_equal(compute(&config, &made).class_kept, 1);
    config.ohem_keep = 1;
    assert_int_equal(compute(&config, &made).class_kept, 20);
}

/* 0.7 as a float is a little under 0.7; 10 samples must still keep 7. */
static void ohem_rounds(void **state)
{
    (void)state;
    batch made;
    fill(&made, 3);
    for (int i = 0; i < samples; i++)
        made.labels[i].sample_class = i < 10 ? QMT_POSITIVE : QMT_LANDMARK;
    qmt_train_config config = config_for(QMT_CLASS_OHEM, QMT_LOSS_MSE);
    assert_int_equal(compute(&config, &made).class_kept, 7);
}

static void huge_logits_stay_finite(void **state)
{
    (void)state;
    batch made;
    fill(&made, 4);
    for (int i = 0; i < samples; i++) {
        made.labels[i].sample_class = i % 2 ? QMT_POSITIVE : QMT_NEGATIVE;
        made.output[i / qmt_lanes][i % qmt_lanes] = i % 3 ? 1000 : -1000;
        made.output[i / qmt_lanes][qmt_lanes + i % qmt_lanes] = i % 3 ? -1000 : 1000;
    }
    qmt_train_config config = config_for(QMT_CLASS_FOCAL, QMT_LOSS_MSE);
    qmt_loss_values values = compute(&config, &made);
    assert_true(isfinite(values.total) && values.classes > 100);
    for (int i = 0; i < groups * numbers; i++)
        assert_true(isfinite(made.gradient[i / numbers][i % numbers]));
    config.class_loss = QMT_CLASS_PLAIN;
    assert_true(isfinite(compute(&config, &made).total));
}

static void not_a_number_is_an_error(void **state)
{
    (void)state;
    qmtcnn_error error;
    batch made;
    qmt_losses *losses = NULL;
    qmt_loss_values values;
    qmt_train_config config = config_for(QMT_CLASS_OHEM, QMT_LOSS_MSE);
    fill(&made, 5);
    made.output[1][qmt_lanes + 4] = NAN; /* sample 20: 20 mod 7 = 6, a negative */
    assert_ok(qmt_losses_create(&config, groups, NULL, &losses, &error), &error);
    assert_int_equal(qmt_losses_compute(losses, made.labels, made.outputs, made.gradients, &values, &error),
                     QMTCNN_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "sample 20"));
    qmt_losses_free(losses);
}

static void a_task_without_samples_is_zero(void **state)
{
    (void)state;
    batch made;
    fill(&made, 6);
    for (int i = 0; i < samples; i++)
        made.labels[i].sample_class = QMT_LANDMARK;
    qmt_train_config config = config_for(QMT_CLASS_OHEM, QMT_LOSS_MSE);
    qmt_loss_values values = compute(&config, &made);
    assert_true(values.classes == 0 && values.box == 0 && values.landmarks > 0);
    for (int lane = 0; lane < 6 * qmt_lanes; lane++)
        assert_true(made.gradient[0][lane] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_match_central_differences),
        cmocka_unit_test(values_by_hand),
        cmocka_unit_test(ohem_breaks_ties_by_place),
        cmocka_unit_test(ohem_rounds),
        cmocka_unit_test(huge_logits_stay_finite),
        cmocka_unit_test(not_a_number_is_an_error),
        cmocka_unit_test(a_task_without_samples_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
