/* Cross-layer equalization. */
#include "toolkit/quant/ptq.h"

#include <math.h>

enum { most_rounds = 50 };
static const double converged = 1e-3, most_factor = 1e4;

/* The largest |w| that a layer applies to input channel `c`. */
static double column_range(const qmt_layer *layer, int c)
{
    size_t area = (size_t)layer->kernel_height * (size_t)layer->kernel_width, taps = qmt_layer_taps(layer);
    float range = 0;
    for (int o = 0; o < layer->out_channels; o++)
        for (size_t i = 0; i < area; i++)
            range = fmaxf(range, fabsf(layer->weight[(size_t)o * taps + (size_t)c * area + i]));
    return (double)range;
}

static double row_range(const qmt_layer *layer, int c)
{
    size_t taps = qmt_layer_taps(layer);
    float range = 0;
    for (size_t i = 0; i < taps; i++)
        range = fmaxf(range, fabsf(layer->weight[(size_t)c * taps + i]));
    return (double)range;
}

static void scale_row(qmt_layer *layer, int c, double factor)
{
    size_t taps = qmt_layer_taps(layer);
    for (size_t i = 0; i < taps; i++)
        layer->weight[(size_t)c * taps + i] = (float)((double)layer->weight[(size_t)c * taps + i] * factor);
    layer->bias[c] = (float)((double)layer->bias[c] * factor);
}

static void scale_column(qmt_layer *layer, int c, double factor)
{
    size_t area = (size_t)layer->kernel_height * (size_t)layer->kernel_width, taps = qmt_layer_taps(layer);
    for (int o = 0; o < layer->out_channels; o++) {
        float *weights = layer->weight + (size_t)o * taps + (size_t)c * area;
        for (size_t i = 0; i < area; i++)
            weights[i] = (float)((double)weights[i] * factor);
    }
}

/* One layer with those that read it; returns how far a factor was from 1 at most. */
static double equalize_pair(qmt_layer *layer, qmt_layer *readers, int reader_count)
{
    double most = 0;
    for (int c = 0; c < layer->out_channels; c++) {
        double first = row_range(layer, c), second = 0;
        for (int r = 0; r < reader_count; r++)
            if (readers[r].out_channels > 0)
                second = fmax(second, column_range(&readers[r], c));
        /* A dead channel, or one that nobody reads, has nothing to share. */
        if (!(first > 0) || !(second > 0))
            continue;
        double factor = sqrt(second / first);
        if (!(factor > 1 / most_factor && factor < most_factor))
            continue;
        scale_row(layer, c, factor);
        for (int r = 0; r < reader_count; r++)
            if (readers[r].out_channels > 0)
                scale_column(&readers[r], c, 1 / factor);
        most = fmax(most, fabs(log(factor)));
    }
    return most;
}

void qmt_equalize(qmt_model *model)
{
    for (int round = 0; round < most_rounds; round++) {
        double most = 0;
        for (int i = 0; i < model->layer_count; i++) {
            bool last = i + 1 == model->layer_count;
            most = fmax(most, equalize_pair(&model->layers[i], last ? model->heads : &model->layers[i + 1],
                                            last ? qmt_head_count : 1));
        }
        if (most < converged)
            return;
    }
}
