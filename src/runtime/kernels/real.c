#include "runtime/kernels/real.h"

/* The pool may take the largest sum: no slope turns the order around. */
static bool pools_sums(const qmt_packed_layer *packed)
{
    for (int c = 0; c < packed->out_channels; c++)
        if (!(packed->slope[c] >= 0))
            return false;
    return packed->pool_kernel > 0;
}

qmtcnn_status qmt_real_pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                            qmtcnn_error *error)
{
    const size_t padded = (size_t)qmt_padded_channels(layer->out_channels, false);
    const size_t kernel = (size_t)(layer->kernel_height * layer->kernel_width);
    const size_t bytes = padded * kernel * (size_t)layer->in_channels * sizeof(float);
    qmtcnn_status status = qmt_packed_create(layer, options, bytes, packed, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_pack_real(*packed, layer);
    (*packed)->pools_sums = pools_sums(*packed);
    (*packed)->interleaves = true;
    return QMTCNN_OK;
}
