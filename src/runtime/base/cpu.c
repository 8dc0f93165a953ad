#include "runtime/base/cpu.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
#define QMT_X86 1
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#ifdef QMT_X86
enum { register_a, register_b, register_c, register_d };

/* CPUID leaf; zeros where the processor has no such leaf. */
static void ask(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
#ifdef _MSC_VER
    int highest[4];
    __cpuid(highest, (int)(leaf & 0x80000000u));
    memset(registers, 0, 4 * sizeof *registers);
    if ((uint32_t)highest[0] >= leaf)
        __cpuidex((int *)registers, (int)leaf, (int)subleaf);
#else
    if (!__get_cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2], &registers[3]))
        memset(registers, 0, 4 * sizeof *registers);
#endif
}

static bool bit(uint32_t value, int number)
{
    return value >> number & 1;
}

/* Register sets that the operating system saves (XCR0). */
static uint32_t saved_registers(void)
{
#ifdef _MSC_VER
    return (uint32_t)_xgetbv(0);
#else
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

qmt_cpu qmt_cpu_detect(void)
{
    /* Bit numbers: Intel's Software Developer's Manual, volume 2, CPUID. */
    enum { save_avx = 0x6, save_avx512 = 0xe6 };
    qmt_cpu cpu = {0};
    uint32_t first[4], seventh[4], seventh_1[4] = {0};
    ask(1, 0, first);
    if (!bit(first[register_c], 27)) /* OSXSAVE: XGETBV may be used */
        return cpu;
    uint32_t saved = saved_registers();
    if ((saved & save_avx) != save_avx)
        return cpu;
    ask(7, 0, seventh);
    if (seventh[register_a] >= 1) /* how many subleaves there are */
        ask(7, 1, seventh_1);
    cpu.fma = bit(first[register_c], 12);
    cpu.avx2 = bit(first[register_c], 28) && bit(seventh[register_b], 5);
    cpu.avx_vnni = cpu.avx2 && bit(seventh_1[register_a], 4);
    if ((saved & save_avx512) == save_avx512) {
        uint32_t b = seventh[register_b];
        cpu.avx512 = bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);
        cpu.avx512_vnni = cpu.avx512 && bit(seventh[register_c], 11);
    }
    return cpu;
}

void qmt_cpu_name(char *name, size_t size)
{
    uint32_t words[12];
    char text[49];
    for (uint32_t i = 0; i < 3; i++)
        ask(0x80000002u + i, 0, words + 4 * i);
    memcpy(text, words, 48);
    text[48] = 0;
    const char *start = text + strspn(text, " ");
    size_t length = strlen(start);
    while (length > 0 && start[length - 1] == ' ')
        length--;
    snprintf(name, size, "%.*s", length ? (int)length : 6, length ? start : "x86-64");
}
#else
qmt_cpu qmt_cpu_detect(void)
{
    qmt_cpu cpu = {0};
#if defined(__aarch64__)
    cpu.neon = true; /* part of the architecture */
#if defined(__linux__)
    enum { hwcap_asimddp = 1 << 20 };
    cpu.neon_dot = (getauxval(AT_HWCAP) & hwcap_asimddp) != 0;
#elif defined(__APPLE__)
    int value = 0;
    size_t value_size = sizeof value;
    cpu.neon_dot = sysctlbyname("hw.optional.arm.FEAT_DotProd", &value, &value_size, NULL, 0) == 0 && value;
#endif
#endif
    return cpu;
}

/* The value of the first of a file's lines that starts with `key`. */
static bool find_line(const char *path, const char *key, char *value, size_t size)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || !colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(value, size, "%.*s", (int)strcspn(colon, "\n"), colon);
        found = true;
    }
    fclose(file);
    return found;
}

void qmt_cpu_name(char *name, size_t size)
{
    if (find_line("/proc/cpuinfo", "model name", name, size) || find_line("/proc/cpuinfo", "Hardware", name, size))
        return;
#if defined(__aarch64__)
    snprintf(name, size, "aarch64");
#else
    snprintf(name, size, "unknown");
#endif
}
#endif

void qmt_cpu_describe(const qmt_cpu *cpu, char *text, size_t size)
{
    const struct {
        bool has;
        const char *name;
    } features[] = {{cpu->avx2, "avx2"},
                    {cpu->fma, "fma"},
                    {cpu->avx_vnni, "avx-vnni"},
                    {cpu->avx512, "avx-512"},
                    {cpu->avx512_vnni, "avx-512-vnni"},
                    {cpu->neon, "neon"},
                    {cpu->neon_dot, "neon-dotprod"}};
    size_t used = 0;
    if (size == 0)
        return;
    snprintf(text, size, "none");
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (features[i].has && used < size) {
            int length = snprintf(text + used, size - used, "%s%s", used ? " " : "", features[i].name);
            used += length > 0 ? (size_t)length : 0;
        }
}
