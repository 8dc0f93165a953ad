/* What this processor can do, asked once at start to choose kernels. */
#ifndef QMT_BASE_CPU_H
#define QMT_BASE_CPU_H

#include <stdbool.h>
#include <stddef.h>

/* Sets of instructions, usable: the processor has them and the system saves their registers. */
typedef struct qmt_cpu {
    bool avx2, fma;
    bool avx_vnni;       /* VPDPBUSD on 256 bits */
    bool avx512;         /* F, BW, DQ and VL */
    bool avx512_vnni;    /* VPDPBUSD on 512 bits */
    bool neon, neon_dot; /* NEON, and SDOT/UDOT */
} qmt_cpu;

/* Asks the processor; a few microseconds. Thread-safe. */
qmt_cpu qmt_cpu_detect(void);

/* The processor's name as its maker gives it, such as "AMD EPYC 7763 64-Core Processor", or the architecture's where it
 * tells none. Always zero terminated. */
void qmt_cpu_name(char *name, size_t size);

/* The features above in words, such as "avx2 fma avx-vnni"; "none" where there is none. */
void qmt_cpu_describe(const qmt_cpu *cpu, char *text, size_t size);

#endif
