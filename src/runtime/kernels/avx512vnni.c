/* The kernels for x86 processors with AVX-512 VNNI (Ice Lake, Zen 4 and later). INT8: avx512_int8.c and its neighbors.
 * FP32: real_tiles.h. */
#ifdef QMT_KERNELS_AVX512VNNI
#include "runtime/kernels/avx2_int8.h"
#include "runtime/kernels/avx512_int8.h"
#include "runtime/kernels/real_tiles.h"

static qmtcnn_status pack(const qmt_layer *layer, const qmt_pack_options *options, qmt_packed_layer **packed,
                          qmtcnn_error *error)
{
    return options->int8 ? qmt_avx512_int8_pack(layer, options, packed, error)
                         : qmt_real_pack(layer, options, packed, error);
}

static size_t scratch_size(const qmt_packed_layer *packed, int input_width)
{
    return packed->int8 ? qmt_avx512_int8_scratch_size(packed, input_width) : qmt_real_scratch(packed, input_width);
}

static void run(const qmt_packed_layer *packed, const qmt_strip *strip)
{
    if (packed->int8)
        qmt_avx512_int8_run(packed, strip);
    else
        qmt_real_strip(packed, strip);
}

const qmt_kernels *qmt_kernels_avx512vnni(void)
{
    static const qmt_kernels kernels = {"avx512vnni", pack, qmt_packed_release, qmt_packed_bytes,
                                        scratch_size, run,  qmt_avx2_normalize};
    return &kernels;
}
#endif
