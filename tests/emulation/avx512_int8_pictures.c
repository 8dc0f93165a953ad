/* The kernels of src/runtime/kernels/avx512_int8_pictures.c, on emulated instructions. */
#include "emulation/avx512.h"

#include "runtime/kernels/avx512_int8_pictures.c"
