/* The script that builds engines, against a stand-in for trtexec that knows each version's options and refuses all
 * others. */
#define _XOPEN_SOURCE 700
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/deploy/deploy.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Options as samples/common/sampleOptions.cpp has them at 8.5.3, 8.6.1, 10.0 and 11.1. */
static const char fake[] = "#!/bin/sh\n"
                           "number=$FAKE_NUMBER\n"
                           "echo \"&&&& RUNNING TensorRT.trtexec [TensorRT v$number] # $0 $*\"\n"
                           "both='--onnx= --saveEngine= --minShapes= --optShapes= --maxShapes= --memPoolSize='\n"
                           "case $number in\n"
                           "85*) known=\"$both --int8 --fp16 --buildOnly --workspace=\" ;;\n"
                           "86*) known=\"$both --int8 --fp16 --buildOnly --skipInference --versionCompatible\" ;;\n"
                           "10*) known=\"$both --int8 --fp16 --stronglyTyped --skipInference\" ;;\n"
                           "11*) known=\"$both --stronglyTyped --skipInference\" ;;\n"
                           "esac\n"
                           "[ \"$1\" = --help ] && exit 0\n"
                           "for argument in \"$@\"; do\n"
                           "    found=no\n"
                           "    for one in $known; do\n"
                           "        case $one in\n"
                           "        *=) case $argument in \"$one\"?*) found=yes ;; esac ;;\n"
                           "        *) [ \"$argument\" = \"$one\" ] && found=yes ;;\n"
                           "        esac\n"
                           "    done\n"
                           "    [ $found = yes ] || { echo \"[E] Unknown option: $argument\" >&2; exit 1; }\n"
                           "    case $argument in\n"
                           "    --saveEngine=*) engine=${argument#--saveEngine=} ;;\n"
                           "    --onnx=*) [ -f \"${argument#--onnx=}\" ] || exit 1 ;;\n"
                           "    esac\n"
                           "    echo \"$argument\" >>\"$FAKE_LOG\"\n"
                           "done\n"
                           "[ -z \"$FAKE_FAIL\" ] || { echo part >\"$engine\"; exit 1; }\n"
                           "echo engine >\"$engine\"\n";

struct place {
    char *folder;
};

static void write_text(const struct place *place, const char *name, const char *text, int mode)
{
    char path[1200];
    qmtcnn_error error;
    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    assert_ok(qmt_file_write(path, text, strlen(text), &error), &error);
    assert_int_equal(chmod(path, (mode_t)mode), 0);
}

static char *read_text(const struct place *place, const char *name)
{
    char path[1200];
    qmtcnn_error error;
    void *data;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    assert_ok(qmt_file_read(path, 1 << 20, &data, &size, &error), &error);
    return data;
}

/* `name` may hold a *: this machine's GPU, where it has one, is in the names of engines. */
static bool exists(const struct place *place, const char *name)
{
    char path[1200];
    glob_t found;
    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    bool any = glob(path, 0, NULL, &found) == 0;
    globfree(&found);
    return any;
}

static int make_place(void **state)
{
    struct place *place = malloc(sizeof *place);
    qmt_config config;
    qmtcnn_error error;
    place->folder = test_make_folder();
    qmt_config_default(&config);
    assert_ok(qmt_config_set(&config, "export.max_batch", "128", &error), &error);
    assert_ok(qmt_write_tensorrt_scripts(place->folder, &config, &error), &error);
    write_text(place, "trtexec", fake, 0755);
    write_text(place, "pnet.onnx", "x QuantizeLinear y", 0644);
    write_text(place, "rnet.onnx", "x QuantizeLinear y", 0644);
    write_text(place, "onet.onnx", "x QuantizeLinear y", 0644);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    test_remove_folder(place->folder);
    free(place);
    return 0;
}

/* Runs the script; its output goes to the files "out" and "log". */
static int run(const struct place *place, const char *environment, const char *options)
{
    char command[4096];
    snprintf(command, sizeof command,
             "cd '%s' && rm -f args out log && env -u TRTEXEC FAKE_LOG='%s/args' %s sh ./build_tensorrt_engines.sh %s "
             ">out 2>log",
             place->folder, place->folder, environment, options);
    int result = system(command);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

static bool log_has(const struct place *place, const char *name, const char *text)
{
    char *log = read_text(place, name);
    bool found = strstr(log, text) != NULL;
    if (!found)
        print_message("%s: %s\n", name, log);
    qmt_free(log);
    return found;
}

static void test_versions(void **state)
{
    static const struct {
        const char *number, *version, *options, *wanted, *unwanted, *suffix;
    } cases[] = {
        {"8502", "8.5.2", "", "--int8\n", "--fp16", "int8"},
        {"8502", "8.5.2", "--fp16-fallback", "--fp16\n", "--stronglyTyped", "int8_fp16"},
        {"8601", "8.6.1", "", "--int8\n", "--skipInference", "int8"},
        {"100001", "10.0.1", "", "--stronglyTyped\n", "--int8", "int8"},
        {"100300", "10.3.0", "--fp16-fallback", "--int8\n", "--stronglyTyped", "int8_fp16"},
        {"110401", "11.4.1", "", "--skipInference\n", "--int8", "int8"},
    };
    struct place *place = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char environment[256], options[256], engine[256];
        snprintf(environment, sizeof environment, "FAKE_NUMBER=%s", cases[i].number);
        snprintf(options, sizeof options, "--trtexec ./trtexec %s", cases[i].options);
        snprintf(engine, sizeof engine, "rnet_%s_trt%s_*.engine", cases[i].suffix, cases[i].version);
        if (run(place, environment, options) != 0) {
            log_has(place, "log", "\n\n");
            fail_msg("TensorRT %s %s", cases[i].version, cases[i].options);
        }
        assert_true(log_has(place, "args", cases[i].wanted));
        char *arguments = read_text(place, "args");
        assert_null(strstr(arguments, cases[i].unwanted));
        assert_non_null(strstr(arguments, "--minShapes=input:1x3x12x12\n--optShapes=input:1x3x648x1152\n"
                                          "--maxShapes=input:1x3x1080x1920\n"));
        assert_non_null(strstr(arguments, "--optShapes=input:64x3x24x24\n--maxShapes=input:128x3x24x24\n"));
        assert_non_null(strstr(arguments, "--optShapes=input:16x3x48x48\n--maxShapes=input:128x3x48x48\n"));
        assert_non_null(strstr(arguments, "--memPoolSize=workspace:256\n"));
        qmt_free(arguments);
        if (!exists(place, engine)) {
            log_has(place, "out", "\n\n");
            fail_msg("no %s", engine);
        }
        assert_true(log_has(place, "out", cases[i].version));
    }
}

/* The stand-in itself refuses what its version does not know. */
static void test_stand_in(void **state)
{
    struct place *place = *state;
    char command[2400];
    snprintf(command, sizeof command,
             "cd '%s' && FAKE_LOG=args FAKE_NUMBER=110401 ./trtexec --onnx=pnet.onnx --int8 >out 2>&1", place->folder);
    assert_int_not_equal(system(command), 0);
    assert_true(log_has(place, "out", "Unknown option: --int8"));
}

static void test_fp32(void **state)
{
    struct place *place = *state;
    assert_int_equal(run(place, "FAKE_NUMBER=8502", "--trtexec ./trtexec --fp32"), 1);
    assert_true(log_has(place, "log", "--variant fp32"));
    write_text(place, "pnet.onnx", "plain", 0644);
    write_text(place, "rnet.onnx", "plain", 0644);
    write_text(place, "onet.onnx", "plain", 0644);
    assert_int_equal(run(place, "FAKE_NUMBER=8502", "--trtexec ./trtexec --fp32 --out engines --workspace 64"), 0);
    char *arguments = read_text(place, "args");
    assert_null(strstr(arguments, "--int8"));
    assert_non_null(strstr(arguments, "workspace:64\n"));
    qmt_free(arguments);
    assert_true(exists(place, "engines/pnet_fp32_trt8.5.2_*.engine"));
    assert_int_equal(run(place, "FAKE_NUMBER=100300", "--trtexec ./trtexec"), 0);
    arguments = read_text(place, "args");
    assert_null(strstr(arguments, "--stronglyTyped"));
    qmt_free(arguments);
}

static void test_dry_run(void **state)
{
    struct place *place = *state;
    assert_int_equal(run(place, "PATH=/usr/bin:/bin", "--dry-run --version 10.3.0"), 0);
    assert_true(log_has(place, "out", "'--stronglyTyped' '--skipInference'"));
    assert_true(log_has(place, "out", "--maxShapes=input:1x3x1080x1920"));
    assert_false(exists(place, "pnet_int8_trt10.3.0_*.engine"));
    assert_false(exists(place, "args"));
    assert_int_equal(run(place, "PATH=/usr/bin:/bin", "--dry-run --version 8.6.1 --fp16-fallback"), 0);
    assert_true(log_has(place, "out", "'--int8' '--fp16' '--buildOnly'"));
}

static void test_failures(void **state)
{
    struct place *place = *state;
    assert_int_equal(run(place, "PATH=/usr/bin:/bin", ""), 1);
    assert_true(log_has(place, "log", "trtexec is not in the PATH"));
    assert_int_equal(run(place, "FAKE_NUMBER=8401", "--trtexec ./trtexec"), 1);
    assert_true(log_has(place, "log", "8.4.1 is too old"));
    assert_int_equal(run(place, "FAKE_NUMBER=110401", "--trtexec ./trtexec --fp16-fallback"), 1);
    assert_true(log_has(place, "log", "takes every type from the file"));
    assert_int_equal(run(place, "FAKE_NUMBER=", "--trtexec ./trtexec"), 1);
    assert_true(log_has(place, "log", "--version X.Y.Z"));
    assert_int_equal(run(place, "", "--frobnicate"), 2);
    assert_int_equal(run(place, "", "--out"), 2);
    assert_int_equal(run(place, "", "--workspace big"), 2);
    assert_int_equal(run(place, "", "--fp32 --fp16-fallback"), 2);
    assert_int_equal(run(place, "FAKE_NUMBER=8502 FAKE_FAIL=1", "--trtexec ./trtexec"), 1);
    assert_true(log_has(place, "log", "--check tensorrt"));
    assert_false(exists(place, "pnet_int8_trt8.5.2_*.engine.part"));
    assert_int_equal(run(place, "FAKE_NUMBER=8502", "--trtexec ./trtexec --models /nowhere --out ."), 1);
    assert_true(log_has(place, "log", "holds none of"));
    assert_int_equal(run(place, "", "--help"), 0);
}

static void test_names(void **state)
{
    struct place *place = *state;
    qmt_config config;
    qmtcnn_error error;
    qmt_config_default(&config);
    assert_ok(qmt_config_set(&config, "export.profile", "caffe", &error), &error);
    assert_ok(qmt_write_tensorrt_scripts(place->folder, &config, &error), &error);
    assert_int_equal(run(place, "PATH=/usr/bin:/bin", "--dry-run --version 10.3.0"), 0);
    assert_true(log_has(place, "out", "--minShapes=data:1x3x12x12"));
}

/* Both scripts are whole: no placeholder is left, every shell parses the one, and the other has Windows's line ends. */
static void test_text(void **state)
{
    struct place *place = *state;
    char command[1200];
    char *sh = read_text(place, "build_tensorrt_engines.sh"), *bat = read_text(place, "build_tensorrt_engines.bat");
    assert_null(strstr(sh, "NET_MAX@"));
    assert_null(strstr(bat, "NET_MAX@"));
    assert_null(strchr(sh, '\r'));
    for (const char *c = bat; *c; c++)
        assert_true(*c != '\n' || c[-1] == '\r');
    assert_non_null(strstr(sh, "not run against TensorRT"));
    assert_non_null(strstr(bat, "not run against TensorRT"));
    assert_non_null(strstr(bat, "call :build onet input:1x3x48x48 input:16x3x48x48 input:128x3x48x48"));
    qmt_free(sh);
    qmt_free(bat);
    snprintf(command, sizeof command, "bash -n '%s/build_tensorrt_engines.sh'", place->folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_versions, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_stand_in, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_fp32, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_dry_run, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_failures, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_names, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_text, make_place, remove_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
