/* Kernel tables for processors that this one is not, from the same sources, with SIMDe for the instructions. */
#ifndef TEST_EMULATION_EMULATED_H
#define TEST_EMULATION_EMULATED_H

#include "runtime/kernels/kernels.h"

const qmt_kernels *test_kernels_avx512vnni(void);
const qmt_kernels *test_kernels_avxvnni(void);

#endif
