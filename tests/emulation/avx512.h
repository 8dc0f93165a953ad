/* Names for the emulated AVX-512 kernels, beside those of the real ones. */
#ifndef TEST_EMULATION_AVX512_H
#define TEST_EMULATION_AVX512_H

#define QMT_KERNELS_AVX512VNNI
#define QMT_EMULATED_AVX512
#define qmt_kernels_avx512vnni test_kernels_avx512vnni
#define qmt_avx512_int8_pack test_avx512_int8_pack
#define qmt_avx512_int8_scratch_size test_avx512_int8_scratch_size
#define qmt_avx512_int8_run test_avx512_int8_run
#define qmt_avx512_tiles_row test_avx512_tiles_row
#define qmt_avx512_picture_pack test_avx512_picture_pack
#define qmt_avx512_picture_takes test_avx512_picture_takes
#define qmt_avx512_picture_scratch_size test_avx512_picture_scratch_size
#define qmt_avx512_picture_run test_avx512_picture_run

#endif
