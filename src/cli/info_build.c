/* This program and the machine that it runs on. */
#include "cli/info.h"
#include "runtime/base/cpu.h"
#include "runtime/base/threads.h"
#include "runtime/kernels/kernels.h"
#include "toolkit/base/ranks.h"

#include <stdio.h> /* before jpeglib.h, which needs size_t and FILE */

#include <cairo.h>
#include <jpeglib.h>
#include <png.h>
#include <protobuf-c/protobuf-c.h>
#include <xxhash.h>
#include <yaml.h>
#include <zlib.h>

/* The text of a macro's value. */
#define TEXT_OF(x) TEXT_OF_VALUE(x)
#define TEXT_OF_VALUE(x) #x

static const char *compiler(void)
{
#if defined(__clang__)
    return "clang " TEXT_OF(__clang_major__) "." TEXT_OF(__clang_minor__) "." TEXT_OF(__clang_patchlevel__);
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}

/* Names of this build's kernels, best first; usable: of those that this processor can run, or of the others. */
static json_t *kernels_json(bool usable)
{
    qmt_kernels_entry entries[qmt_max_kernel_tables];
    const int count = qmt_kernels_list(entries);
    json_t *names = json_array();
    for (int i = 0; i < count; i++) {
        if (entries[i].usable == usable)
            json_array_append_new(names, json_string(entries[i].kernels->name));
    }
    return names;
}

static json_t *libraries_json(void)
{
    char xxhash[32];
    unsigned hash = XXH_versionNumber();
    snprintf(xxhash, sizeof xxhash, "%u.%u.%u", hash / 10000, hash / 100 % 100, hash % 100);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "jpeg",
#ifdef LIBJPEG_TURBO_VERSION
                     "libjpeg-turbo " TEXT_OF(LIBJPEG_TURBO_VERSION),
#else
                     "libjpeg " TEXT_OF(JPEG_LIB_VERSION),
#endif
                     "png", png_get_libpng_ver(NULL), "yaml", yaml_get_version_string(), "jansson",
                     jansson_version_str(), "protobuf-c", protobuf_c_version(), "cairo", cairo_version_string(), "zlib",
                     zlibVersion(), "xxhash", xxhash, "mpi", qmt_ranks_library());
}

qmtcnn_status qmt_info_build(json_t **info, qmtcnn_error *error)
{
    char name[128], features[256];
    qmt_cpu cpu = qmt_cpu_detect();
    qmt_cpu_name(name, sizeof name);
    qmt_cpu_describe(&cpu, features, sizeof features);
    return qmt_info_finish(json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:s, s:o}", "version", qmtcnn_version(),
                                     "compiler", compiler(), "processor", name, "features", features, "threads",
                                     qmt_processor_count(), "kernels", kernels_json(true), "kernels_not_here",
                                     kernels_json(false), "kernels_used", qmt_kernels_select(NULL)->name, "libraries",
                                     libraries_json()),
                           info, error);
}
