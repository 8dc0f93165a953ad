/* The kernels of src/runtime/kernels/avx512vnni.c, on emulated instructions. */
#include "emulation/avx512.h"
#include "emulation/emulated.h"

#include "runtime/kernels/avx512vnni.c"
