/* The kernels of src/runtime/kernels/avx512vnni.c, on emulated instructions. */
#include "emulation/emulated.h"

#define QMT_KERNELS_AVX512VNNI
#define QMT_EMULATED_AVX512
#define qmt_kernels_avx512vnni test_kernels_avx512vnni
#include "runtime/kernels/avx512vnni.c"
