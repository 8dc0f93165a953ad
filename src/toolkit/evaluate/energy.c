#include "toolkit/evaluate/energy.h"

#include "toolkit/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_sensors = 16, text_size = 128 };

/* A counter of microjoules, or a momentary power: one file in microwatts or milliwatts, or two in mV and mA. */
struct sensor {
    char *path, *second; /* second: the current, where `path` is the voltage */
    bool counter;
    double unit;    /* of one count, in joules or watts */
    uint64_t range; /* the counter's largest value; 0: all 64 bits */
    uint64_t last;
    double power;
};

struct qmt_energy_meter {
    struct sensor sensors[most_sensors];
    int count;
    char source[2 * text_size];
    double joules, seconds;
};

/* Where sensors are looked for, and what stood in the way. */
struct search {
    const char *sysfs;
    qmt_energy_meter *meter;
    char *why;
    size_t why_size;
    qmtcnn_error *error;
};

/* ---- Files ------------------------------------------------------------------------------------------- */

/* The first line of a file; false with errno set. */
static bool read_text(const char *path, char text[text_size])
{
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    errno = 0;
    bool good = fgets(text, text_size, file) != NULL;
    if (!good && errno == 0)
        errno = EIO;
    int kept = errno;
    fclose(file);
    errno = kept;
    if (good)
        text[strcspn(text, "\n")] = 0;
    return good;
}

static bool read_number(const char *path, uint64_t *value)
{
    char text[text_size], *end;
    if (!read_text(path, text))
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno == 0 && (end == text || *end || text[0] == '-'))
        errno = EINVAL;
    *value = number;
    return errno == 0;
}

/* The text of FOLDER/NAME, or "" where it can't be read. */
static void read_in(const char *folder, const char *name, char text[text_size])
{
    char *path = qmt_path_join(folder, name);
    if (!path || !read_text(path, text))
        text[0] = 0;
    qmt_free(path);
}

/* Names in SYSFS/FOLDER; none where it does not exist. */
static qmtcnn_status list(const struct search *search, const char *folder, char **path, char ***names, size_t *count)
{
    *names = NULL;
    *count = 0;
    *path = qmt_path_join(search->sysfs, folder);
    if (!*path)
        return qmt_fail_memory(search->error, strlen(folder), "a path");
    if (!qmt_folder_exists(*path))
        return QMTCNN_OK;
    return qmt_folder_list(*path, names, count, search->error);
}

/* ---- Sensors ----------------------------------------------------------------------------------------- */

static void forget_sensors(qmt_energy_meter *meter)
{
    for (int i = 0; i < meter->count; i++) {
        qmt_free(meter->sensors[i].path);
        qmt_free(meter->sensors[i].second);
    }
    meter->count = 0;
    meter->source[0] = 0;
}

/* Takes a sensor if it can be read now; says why where it can't. */
static void add_sensor(const struct search *search, const char *folder, const char *file, const char *second,
                       const struct sensor *kind, const char *label)
{
    qmt_energy_meter *meter = search->meter;
    struct sensor sensor = *kind;
    uint64_t value;
    sensor.path = qmt_path_join(folder, file);
    sensor.second = second ? qmt_path_join(folder, second) : NULL;
    bool complete = sensor.path && (!second || sensor.second) && meter->count < most_sensors;
    if (!complete || !read_number(sensor.path, &value) || (second && !read_number(sensor.second, &value))) {
        if (complete && errno != ENOENT)
            snprintf(search->why, search->why_size, "%s can't be read: %s%s", sensor.path, strerror(errno),
                     errno == EACCES ? "; run as root" : "");
        qmt_free(sensor.second);
        qmt_free(sensor.path);
        return;
    }
    size_t used = strlen(meter->source);
    snprintf(meter->source + used, sizeof meter->source - used, "%s%s", meter->count ? " + " : "", label);
    meter->sensors[meter->count++] = sensor;
}

/* Packages; a platform's counter (psys), which includes them, only where there are none. Parts of packages have names
 * with two colons. */
static qmtcnn_status find_rapl(const struct search *search)
{
    static const char *const wanted[] = {"package", "psys"};
    char **names, *folder, text[text_size], label[2 * text_size];
    size_t count;
    qmtcnn_status status = list(search, "class/powercap", &folder, &names, &count);
    for (size_t w = 0; w < 2 && status == QMTCNN_OK && search->meter->count == 0; w++) {
        for (size_t i = 0; i < count; i++) {
            const char *colon = strchr(names[i], ':');
            if (strncmp(names[i], "intel-rapl:", 11) != 0 || (colon && strchr(colon + 1, ':')))
                continue;
            char *zone = qmt_path_join(folder, names[i]),
                 *range_file = zone ? qmt_path_join(zone, "max_energy_range_uj") : NULL;
            struct sensor kind = {.counter = true, .unit = 1e-6};
            if (range_file) {
                read_in(zone, "name", text);
                snprintf(label, sizeof label, "RAPL %s", text);
                if (!read_number(range_file, &kind.range))
                    kind.range = 0;
                if (strncmp(text, wanted[w], strlen(wanted[w])) == 0)
                    add_sensor(search, zone, "energy_uj", NULL, &kind, label);
            } else {
                status = qmt_fail_memory(search->error, strlen(folder), "a path");
            }
            qmt_free(range_file);
            qmt_free(zone);
        }
    }
    qmt_names_free(names, count);
    qmt_free(folder);
    return status;
}

/* amd_energy: a counter for each socket and each core. */
static void add_energy_counters(const struct search *search, const char *folder)
{
    const struct sensor kind = {.counter = true, .unit = 1e-6};
    char file[32], name[32], label[text_size], text[2 * text_size];
    for (int i = 1; i <= 512 && search->meter->count < most_sensors; i++) {
        snprintf(name, sizeof name, "energy%d_label", i);
        snprintf(file, sizeof file, "energy%d_input", i);
        read_in(folder, name, label);
        if (strncmp(label, "Esocket", 7) != 0)
            continue;
        snprintf(text, sizeof text, "hwmon %s", label);
        add_sensor(search, folder, file, NULL, &kind, text);
    }
}

/* The board's input where one is labeled so ("VDD_IN"), else all rails together. */
static void add_ina3221(const struct search *search, const char *folder)
{
    enum { channels = 3 };
    const struct sensor kind = {.unit = 1e-6}; /* mV x mA */
    char labels[channels][text_size], name[32], voltage[32], current[32], text[2 * text_size];
    int whole = -1;
    for (int i = 0; i < channels; i++) {
        snprintf(name, sizeof name, "in%d_label", i + 1);
        read_in(folder, name, labels[i]);
        const size_t length = strlen(labels[i]);
        if (whole < 0 && length >= 3 && strcmp(labels[i] + length - 3, "_IN") == 0)
            whole = i;
    }
    for (int i = 0; i < channels; i++) {
        if (whole >= 0 && i != whole)
            continue;
        snprintf(voltage, sizeof voltage, "in%d_input", i + 1);
        snprintf(current, sizeof current, "curr%d_input", i + 1);
        snprintf(text, sizeof text, "INA3221 %.120s", labels[i][0] ? labels[i] : voltage);
        add_sensor(search, folder, voltage, current, &kind, text);
    }
}

/* Meters of a whole board or processor. Sensors of graphics cards and batteries say nothing of this processor. */
static void add_power(const struct search *search, const char *folder, const char *name)
{
    static const char *const known[] = {"power_meter", "fam15h_power", "ina219", "ina226",
                                        "ina230",      "ina231",       "ina2xx"};
    const struct sensor kind = {.unit = 1e-6};
    char text[2 * text_size];
    snprintf(text, sizeof text, "hwmon %s", name);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i]) != 0)
            continue;
        add_sensor(search, folder, "power1_input", NULL, &kind, text);
        if (search->meter->count == 0)
            add_sensor(search, folder, "power1_average", NULL, &kind, text);
    }
}

/* Counters first, since they miss nothing; then Jetson's sensor; then any other. */
static qmtcnn_status find_hwmon(const struct search *search)
{
    char **names, *folder, text[text_size];
    size_t count;
    qmtcnn_status status = list(search, "class/hwmon", &folder, &names, &count);
    for (int kind = 0; kind < 3 && status == QMTCNN_OK && search->meter->count == 0; kind++) {
        for (size_t i = 0; i < count && status == QMTCNN_OK; i++) {
            char *path = qmt_path_join(folder, names[i]);
            if (!path) {
                status = qmt_fail_memory(search->error, strlen(folder), "a path");
                break;
            }
            read_in(path, "name", text);
            if (kind == 0)
                add_energy_counters(search, path);
            else if (kind == 1 && strcmp(text, "ina3221") == 0)
                add_ina3221(search, path);
            else if (kind == 2 && search->meter->count == 0)
                add_power(search, path, text);
            qmt_free(path);
        }
    }
    qmt_names_free(names, count);
    qmt_free(folder);
    return status;
}

/* The INA3221 as JetPack 4 shows it: bus/i2c/drivers/ina3221x/ADDRESS/iio:deviceN, in milliwatts. */
static qmtcnn_status find_ina3221x(const struct search *search)
{
    char **names, **devices = NULL, *folder, *chip = NULL, text[text_size], label[2 * text_size];
    size_t count, device_count = 0;
    qmtcnn_status status = list(search, "bus/i2c/drivers/ina3221x", &folder, &names, &count);
    for (size_t i = 0; i < count && status == QMTCNN_OK; i++) {
        chip = qmt_path_join(folder, names[i]);
        if (chip && strchr(names[i], '-') && qmt_folder_exists(chip))
            status = qmt_folder_list(chip, &devices, &device_count, search->error);
        for (size_t d = 0; chip && d < device_count; d++) {
            const struct sensor kind = {.unit = 1e-3};
            char *device = strncmp(devices[d], "iio:device", 10) == 0 ? qmt_path_join(chip, devices[d]) : NULL;
            if (device && search->meter->count == 0) {
                read_in(device, "rail_name_0", text); /* the first rail is the board's input */
                snprintf(label, sizeof label, "INA3221 %s", text);
                add_sensor(search, device, "in_power0_input", NULL, &kind, label);
            }
            qmt_free(device);
        }
        qmt_names_free(devices, device_count);
        devices = NULL;
        device_count = 0;
        qmt_free(chip);
    }
    qmt_names_free(names, count);
    qmt_free(folder);
    return status;
}

/* ---- The meter --------------------------------------------------------------------------------------- */

qmtcnn_status qmt_energy_open(const char *sysfs, qmt_energy_meter **result, char *why, size_t size, qmtcnn_error *error)
{
    qmtcnn_status (*const finders[])(const struct search *) = {find_rapl, find_hwmon, find_ina3221x};
    *result = NULL;
    snprintf(why, size, "no RAPL (class/powercap), energy counter or power meter of hwmon, or INA3221 below %s", sysfs);
    qmt_energy_meter *meter = qmt_alloc_zero(1, sizeof *meter);
    if (!meter)
        return qmt_fail_memory(error, sizeof *meter, "an energy meter");
    const struct search search = {sysfs, meter, why, size, error};
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; i < 3 && status == QMTCNN_OK && meter->count == 0; i++)
        status = finders[i](&search);
    if (status != QMTCNN_OK || meter->count == 0) {
        qmt_energy_close(meter);
        return status;
    }
    *result = meter;
    return QMTCNN_OK;
}

void qmt_energy_close(qmt_energy_meter *meter)
{
    if (!meter)
        return;
    forget_sensors(meter);
    qmt_free(meter);
}

const char *qmt_energy_source(const qmt_energy_meter *meter)
{
    return meter->source;
}

/* Reads a sensor. *joules: what a counter counted since it was read last. */
static qmtcnn_status read_sensor(struct sensor *sensor, double *joules, qmtcnn_error *error)
{
    uint64_t value = 0, second = 1;
    if (!read_number(sensor->path, &value) || (sensor->second && !read_number(sensor->second, &second)))
        return qmt_fail(error, QMTCNN_ERROR_IO, "%s: can't be read: %s", sensor->path, strerror(errno));
    if (sensor->counter) {
        /* Begun anew at its range; without one, at 2^64, which unsigned subtraction understands by itself. */
        const uint64_t counted =
            value >= sensor->last || sensor->range == 0 ? value - sensor->last : sensor->range - sensor->last + value;
        *joules = sensor->unit * (double)counted;
        sensor->last = value;
    } else {
        sensor->power = sensor->unit * (double)value * (double)second;
    }
    return QMTCNN_OK;
}

qmtcnn_status qmt_energy_start(qmt_energy_meter *meter, double seconds, qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    double unused;
    for (int i = 0; i < meter->count && status == QMTCNN_OK; i++)
        status = read_sensor(&meter->sensors[i], &unused, error);
    meter->joules = 0;
    meter->seconds = seconds;
    return status;
}

qmtcnn_status qmt_energy_read(qmt_energy_meter *meter, double seconds, qmtcnn_error *error)
{
    const double passed = seconds - meter->seconds;
    for (int i = 0; i < meter->count; i++) {
        struct sensor *sensor = &meter->sensors[i];
        const double before = sensor->power;
        double joules = 0;
        qmtcnn_status status = read_sensor(sensor, &joules, error);
        if (status != QMTCNN_OK)
            return status;
        meter->joules += sensor->counter ? joules : 0.5 * (before + sensor->power) * passed;
    }
    meter->seconds = seconds;
    return QMTCNN_OK;
}

double qmt_energy_joules(const qmt_energy_meter *meter)
{
    return meter->joules;
}
