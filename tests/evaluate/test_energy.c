/* Energy meters on made-up sysfs trees. */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/evaluate/energy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes TEXT to ROOT/PATH, in place as the kernel's counters change. */
static void put(const char *root, const char *path, const char *text)
{
    qmtcnn_error error;
    char *full = qmt_path_join(root, path);
    assert_non_null(full);
    assert_ok(qmt_file_write(full, text, strlen(text), &error), &error);
    qmt_free(full);
}

static qmt_energy_meter *open_meter(const char *root, char why[256])
{
    qmt_energy_meter *meter;
    qmtcnn_error error;
    assert_ok(qmt_energy_open(root, &meter, why, 256, &error), &error);
    return meter;
}

static void near(double value, double expected)
{
    assert_true(value > expected - 1e-9 && value < expected + 1e-9);
}

static void rapl_packages_add_up_and_wrap(void **state)
{
    (void)state;
    char *root = test_make_folder(), why[256];
    qmtcnn_error error;
    put(root, "class/powercap/intel-rapl:0/name", "package-0\n");
    put(root, "class/powercap/intel-rapl:0/energy_uj", "262143000000\n");
    put(root, "class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
    put(root, "class/powercap/intel-rapl:0:0/name", "core\n");
    put(root, "class/powercap/intel-rapl:0:0/energy_uj", "5\n");
    put(root, "class/powercap/intel-rapl:1/name", "package-1\n");
    put(root, "class/powercap/intel-rapl:1/energy_uj", "1000000\n");
    put(root, "class/powercap/intel-rapl:1/max_energy_range_uj", "262143328850\n");
    put(root, "class/powercap/intel-rapl:2/name", "psys\n");
    put(root, "class/powercap/intel-rapl:2/energy_uj", "7\n");
    qmt_energy_meter *meter = open_meter(root, why);
    assert_non_null(meter);
    assert_string_equal(qmt_energy_source(meter), "RAPL package-0 + RAPL package-1");
    assert_ok(qmt_energy_start(meter, 100, &error), &error);
    put(root, "class/powercap/intel-rapl:0/energy_uj", "671150\n"); /* 328850 up to the range, then 671150 */
    put(root, "class/powercap/intel-rapl:1/energy_uj", "3500000\n");
    assert_ok(qmt_energy_read(meter, 101, &error), &error);
    near(qmt_energy_joules(meter), 1.0 + 2.5);
    put(root, "class/powercap/intel-rapl:0/energy_uj", "1671150\n");
    assert_ok(qmt_energy_read(meter, 102, &error), &error);
    near(qmt_energy_joules(meter), 1.0 + 2.5 + 1.0);
    assert_ok(qmt_energy_start(meter, 103, &error), &error);
    near(qmt_energy_joules(meter), 0);
    put(root, "class/powercap/intel-rapl:1/energy_uj", "broken\n");
    assert_int_equal(qmt_energy_read(meter, 104, &error), QMTCNN_ERROR_IO);
    assert_non_null(strstr(error.message, "intel-rapl:1/energy_uj"));
    qmt_energy_close(meter);
    test_remove_folder(root);
}

static void a_platform_counter_serves_where_there_are_no_packages(void **state)
{
    (void)state;
    char *root = test_make_folder(), why[256];
    put(root, "class/powercap/intel-rapl:0/name", "psys\n");
    put(root, "class/powercap/intel-rapl:0/energy_uj", "7\n");
    qmt_energy_meter *meter = open_meter(root, why);
    assert_non_null(meter);
    assert_string_equal(qmt_energy_source(meter), "RAPL psys");
    qmt_energy_close(meter);
    test_remove_folder(root);
}

static void hwmon_sockets_are_counters(void **state)
{
    (void)state;
    char *root = test_make_folder(), why[256];
    qmtcnn_error error;
    put(root, "class/hwmon/hwmon0/name", "amdgpu\n");
    put(root, "class/hwmon/hwmon0/power1_average", "9000000\n");
    put(root, "class/hwmon/hwmon1/name", "amd_energy\n");
    put(root, "class/hwmon/hwmon1/energy1_label", "Ecore000\n");
    put(root, "class/hwmon/hwmon1/energy1_input", "100\n");
    put(root, "class/hwmon/hwmon1/energy65_label", "Esocket0\n");
    put(root, "class/hwmon/hwmon1/energy65_input", "18446744073709551000\n");
    qmt_energy_meter *meter = open_meter(root, why);
    assert_non_null(meter);
    assert_string_equal(qmt_energy_source(meter), "hwmon Esocket0");
    assert_ok(qmt_energy_start(meter, 0, &error), &error);
    put(root, "class/hwmon/hwmon1/energy65_input", "2999384\n"); /* 616 up to 2^64 */
    assert_ok(qmt_energy_read(meter, 1, &error), &error);
    near(qmt_energy_joules(meter), 3.0);
    qmt_energy_close(meter);
    test_remove_folder(root);
}

static void jetson_power_is_integrated(void **state)
{
    (void)state;
    char *root = test_make_folder(), why[256];
    qmtcnn_error error;
    put(root, "class/hwmon/hwmon3/name", "ina3221\n");
    put(root, "class/hwmon/hwmon3/in1_label", "VDD_IN\n");
    put(root, "class/hwmon/hwmon3/in1_input", "5000\n");
    put(root, "class/hwmon/hwmon3/curr1_input", "1000\n"); /* 5 W */
    put(root, "class/hwmon/hwmon3/in2_label", "VDD_CPU_GPU_CV\n");
    put(root, "class/hwmon/hwmon3/in2_input", "5000\n");
    put(root, "class/hwmon/hwmon3/curr2_input", "300\n");
    qmt_energy_meter *meter = open_meter(root, why);
    assert_non_null(meter);
    assert_string_equal(qmt_energy_source(meter), "INA3221 VDD_IN");
    assert_ok(qmt_energy_start(meter, 10, &error), &error);
    put(root, "class/hwmon/hwmon3/curr1_input", "2000\n"); /* 10 W */
    assert_ok(qmt_energy_read(meter, 12, &error), &error);
    near(qmt_energy_joules(meter), 2 * 7.5);
    assert_ok(qmt_energy_read(meter, 12.5, &error), &error);
    near(qmt_energy_joules(meter), 2 * 7.5 + 0.5 * 10);
    qmt_energy_close(meter);
    test_remove_folder(root);

    /* AGX Orin has no rail for all. */
    root = test_make_folder();
    put(root, "class/hwmon/hwmon3/name", "ina3221\n");
    put(root, "class/hwmon/hwmon3/in1_label", "VDD_GPU_SOC\n");
    put(root, "class/hwmon/hwmon3/in1_input", "10000\n");
    put(root, "class/hwmon/hwmon3/curr1_input", "100\n");
    put(root, "class/hwmon/hwmon3/in2_label", "VDD_CPU_CV\n");
    put(root, "class/hwmon/hwmon3/in2_input", "10000\n");
    put(root, "class/hwmon/hwmon3/curr2_input", "200\n");
    meter = open_meter(root, why);
    assert_non_null(meter);
    assert_string_equal(qmt_energy_source(meter), "INA3221 VDD_GPU_SOC + INA3221 VDD_CPU_CV");
    assert_ok(qmt_energy_start(meter, 0, &error), &error);
    assert_ok(qmt_energy_read(meter, 1, &error), &error);
    near(qmt_energy_joules(meter), 1 + 2);
    qmt_energy_close(meter);
    test_remove_folder(root);
}

static void older_jetson_and_other_power_meters(void **state)
{
    (void)state;
    char *root = test_make_folder(), why[256];
    qmtcnn_error error;
    put(root, "bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0", "POM_5V_IN\n");
    put(root, "bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input", "4000\n");
    put(root, "bus/i2c/drivers/ina3221x/bind", "");
    qmt_energy_meter *meter = open_meter(root, why);
    assert_non_null(meter);
    assert_string_equal(qmt_energy_source(meter), "INA3221 POM_5V_IN");
    assert_ok(qmt_energy_start(meter, 0, &error), &error);
    assert_ok(qmt_energy_read(meter, 2, &error), &error);
    near(qmt_energy_joules(meter), 8);
    qmt_energy_close(meter);
    put(root, "class/hwmon/hwmon0/name", "power_meter\n");
    put(root, "class/hwmon/hwmon0/power1_average", "120000000\n");
    meter = open_meter(root, why);
    assert_string_equal(qmt_energy_source(meter), "hwmon power_meter");
    qmt_energy_close(meter);
    test_remove_folder(root);
}

static void where_there_is_none_it_says_why(void **state)
{
    (void)state;
    char *root = test_make_folder(), why[256];
    assert_null(open_meter(root, why));
    assert_non_null(strstr(why, "no RAPL"));
    put(root, "class/hwmon/hwmon0/name", "amdgpu\n");
    put(root, "class/hwmon/hwmon0/power1_average", "9000000\n");
    assert_null(open_meter(root, why));
    put(root, "class/powercap/intel-rapl:0/name", "package-0\n");
    put(root, "class/powercap/intel-rapl:0/energy_uj/x", "a folder can't be read as a number");
    assert_null(open_meter(root, why));
    assert_non_null(strstr(why, "intel-rapl:0/energy_uj can't be read"));
    test_remove_folder(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rapl_packages_add_up_and_wrap),
        cmocka_unit_test(a_platform_counter_serves_where_there_are_no_packages),
        cmocka_unit_test(hwmon_sockets_are_counters),
        cmocka_unit_test(jetson_power_is_integrated),
        cmocka_unit_test(older_jetson_and_other_power_meters),
        cmocka_unit_test(where_there_is_none_it_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
