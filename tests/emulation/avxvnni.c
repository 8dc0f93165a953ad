/* The kernels of src/runtime/kernels/avxvnni.c, on emulated instructions. */
#include "emulation/emulated.h"

#define QMT_KERNELS_AVXVNNI
#define qmt_kernels_avxvnni test_kernels_avxvnni
#include "runtime/kernels/avxvnni.c"
