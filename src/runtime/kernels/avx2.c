/* The kernels for x86 processors with AVX2 and FMA (2013 and later). INT8 (avx2_int8.c and its neighbors) gives the C
 * kernels' integers, bit for bit. FP32 (real_tiles.h) uses fused multiply-adds, which round once where C rounds twice:
 * its last bits differ from C's (under 1e-5 on values around 1), but not with a pixel's place in its row or strip. */
#if defined(__AVX2__)
#include "runtime/kernels/avx2_int8.h"
#include "runtime/kernels/real_tiles.h"

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    return options->int8 ? qmt_avx2_int8_pack(layer, options, packed, error)
                         : qmt_real_pack(layer, options, packed, error);
}

static size_t scratch_size(const qmt_packed_layer *packed, int input_width)
{
    return packed->int8 ? qmt_avx2_int8_scratch_size(packed, input_width) : qmt_real_scratch(packed, input_width);
}

static void run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    if (packed->int8)
        qmt_avx2_int8_run(packed, strip);
    else
        qmt_real_strip(packed, strip);
}

const qmt_kernels *qmt_kernels_avx2(void)
{
    static const qmt_kernels kernels = {"avx2",       pack, qmt_packed_release, qmt_packed_bytes,
                                        scratch_size, run,  qmt_avx2_normalize};
    return &kernels;
}
#endif
