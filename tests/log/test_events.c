/* Event files, read back by a decoder that knows only protobuf's wire format and a bitwise CRC. */
#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/log/events.h"
#include "toolkit/log/histogram.h"
#include "toolkit/log/record.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CRC-32C by the book, a bit at a time. */
static uint32_t slow_crc(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            uint32_t mix = (crc ^ (uint32_t)(data[i] >> bit)) & 1;
            crc = (crc >> 1) ^ (mix ? 0x82F63B78u : 0);
        }
    }
    return crc ^ 0xFFFFFFFF;
}

static uint32_t slow_masked(const uint8_t *data, size_t size)
{
    uint32_t crc = slow_crc(data, size);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

static uint64_t little(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* A field of a protobuf message. */
struct field {
    uint32_t number, type;
    uint64_t value;      /* varint or fixed */
    const uint8_t *data; /* length-delimited, `value` bytes */
};

static uint64_t varint(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;
    for (int shift = 0; *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128))
            return value;
    }
    fail_msg("a varint runs over the end");
    return 0;
}

static bool next_field(const uint8_t **at, const uint8_t *end, struct field *field)
{
    if (*at >= end)
        return false;
    uint64_t key = varint(at, end);
    field->number = (uint32_t)(key >> 3);
    field->type = (uint32_t)(key & 7);
    field->data = NULL;
    switch (field->type) {
    case 0: field->value = varint(at, end); break;
    case 1: field->value = little(*at, 8), *at += 8; break;
    case 5: field->value = little(*at, 4), *at += 4; break;
    case 2:
        field->value = varint(at, end);
        field->data = *at;
        *at += field->value;
        break;
    default: fail_msg("wire type %u", field->type);
    }
    assert_true(*at <= end);
    return true;
}

/* The field `number` of a message; fails the test where it is missing. */
static struct field find(const uint8_t *data, uint64_t size, uint32_t number)
{
    struct field field;
    const uint8_t *at = data;
    while (next_field(&at, data + size, &field)) {
        if (field.number == number)
            return field;
    }
    fail_msg("no field %u", number);
    return field;
}

static double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float as_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

static void assert_text(struct field field, const char *text)
{
    assert_int_equal(field.value, strlen(text));
    assert_memory_equal(field.data, text, strlen(text));
}

/* Checks a record's frame and gives its message; *at moves behind it. */
static struct field next_record(const uint8_t **at, const uint8_t *end)
{
    struct field record = {0};
    assert_true(end - *at >= 16);
    record.value = little(*at, 8);
    record.data = *at + 12;
    assert_int_equal(little(*at + 8, 4), slow_masked(*at, 8));
    assert_true(record.value <= (uint64_t)(end - *at) - 16);
    assert_int_equal(little(record.data + record.value, 4), slow_masked(record.data, record.value));
    *at += record.value + 16;
    return record;
}

/* The value in an event with this step and tag. */
static struct field value_of(struct field record, int64_t step, const char *tag)
{
    assert_int_equal((int64_t)find(record.data, record.value, 2).value, step);
    assert_true(as_double(find(record.data, record.value, 1).value) > 1.6e9);
    struct field summary = find(record.data, record.value, 5);
    struct field value = find(summary.data, summary.value, 1);
    assert_text(find(value.data, value.value, 1), tag);
    return value;
}

static void test_crc(void **state)
{
    (void)state;
    qmt_crc crc;
    qmt_crc_init(&crc);
    assert_int_equal(qmt_crc32c(&crc, "123456789", 9), 0xE3069283); /* RFC 3720's check value */
    uint8_t zeros[32] = {0};
    assert_int_equal(qmt_crc32c(&crc, zeros, 32), 0x8A9136AA); /* RFC 3720, B.4 */
    for (size_t size = 0; size < 32; size++)
        assert_int_equal(qmt_crc32c(&crc, "The quick brown fox jumps over it", size),
                         slow_crc((const uint8_t *)"The quick brown fox jumps over it", size));
}

static void check_histogram(struct field histogram)
{
    enum { limits_field = 6, counts_field = 7 };
    struct field limits = find(histogram.data, histogram.value, limits_field);
    struct field counts = find(histogram.data, histogram.value, counts_field);
    assert_true(as_double(find(histogram.data, histogram.value, 1).value) == -2);
    assert_true(as_double(find(histogram.data, histogram.value, 2).value) == 4);
    assert_true(as_double(find(histogram.data, histogram.value, 3).value) == 5);
    assert_true(as_double(find(histogram.data, histogram.value, 4).value) == 3.5);
    assert_true(as_double(find(histogram.data, histogram.value, 5).value) == 20.75);
    assert_int_equal(limits.value, counts.value);
    assert_int_equal(limits.value % 8, 0);
    double total = 0, before = -DBL_MAX;
    for (uint64_t i = 0; i < limits.value; i += 8) {
        double limit = as_double(little(limits.data + i, 8)), count = as_double(little(counts.data + i, 8));
        assert_true(limit > before);
        if (count > 0) { /* values are -2, 0.5, 0.5, 0.5, 4 */
            double expected =
                (before <= -2 && limit > -2) + 3 * (before <= 0.5 && limit > 0.5) + (before <= 4 && limit > 4);
            assert_true(count == expected);
        }
        total += count;
        before = limit;
    }
    assert_true(total == 5);
}

static void test_file(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_events *events;
    qmt_image image;
    char *folder = test_make_folder(), **names;
    size_t count, size;
    void *data;
    const float values[] = {0.5f, -2, 4, 0.5f, 0.5f, NAN, INFINITY};
    assert_ok(qmt_events_open(folder, &events, &error), &error);
    assert_ok(qmt_events_scalar(events, 7, "loss/total", 0.125f, &error), &error);
    assert_ok(qmt_events_histogram(events, 8, "weights", values, 7, &error), &error);
    assert_ok(qmt_image_create(5, 3, &image, &error), &error);
    assert_ok(qmt_events_image(events, 9, "samples", &image, &error), &error);
    assert_ok(qmt_events_text(events, 10, "config", "# Title", &error), &error);
    assert_ok(qmt_events_flush(events, &error), &error);
    qmt_events_close(events);
    qmt_image_clear(&image);

    assert_ok(qmt_folder_list(folder, &names, &count, &error), &error);
    assert_int_equal(count, 1);
    assert_int_equal(strncmp(names[0], "events.out.tfevents.", 20), 0);
    char *path = qmt_path_join(folder, names[0]);
    assert_ok(qmt_file_read(path, 1 << 20, &data, &size, &error), &error);
    const uint8_t *at = data, *end = at + size;
    struct field record = next_record(&at, end);
    assert_text(find(record.data, record.value, 3), "brain.Event:2");
    record = next_record(&at, end);
    struct field value = value_of(record, 7, "loss/total");
    assert_true(as_float(find(value.data, value.value, 2).value) == 0.125f);
    record = next_record(&at, end);
    value = value_of(record, 8, "weights");
    check_histogram(find(value.data, value.value, 5));
    record = next_record(&at, end);
    value = value_of(record, 9, "samples");
    struct field picture = find(value.data, value.value, 4);
    assert_int_equal(find(picture.data, picture.value, 1).value, 3);
    assert_int_equal(find(picture.data, picture.value, 2).value, 5);
    assert_int_equal(find(picture.data, picture.value, 3).value, 3);
    assert_memory_equal(find(picture.data, picture.value, 4).data, "\x89PNG", 4);
    record = next_record(&at, end);
    value = value_of(record, 10, "config");
    struct field tensor = find(value.data, value.value, 8), metadata = find(value.data, value.value, 9);
    assert_int_equal(find(tensor.data, tensor.value, 1).value, 7);
    assert_text(find(tensor.data, tensor.value, 8), "# Title");
    struct field plugin = find(metadata.data, metadata.value, 1);
    assert_text(find(plugin.data, plugin.value, 1), "text");
    assert_ptr_equal(at, end);
    qmt_free(data);
    qmt_free(path);
    qmt_names_free(names, count);
    test_remove_folder(folder);
}

/* Two runs that start within a second do not share a file. */
static void test_two_files(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_events *a, *b;
    char *folder = test_make_folder(), **names, *deep = qmt_path_join(folder, "new/deep");
    size_t count;
    assert_ok(qmt_events_open(deep, &a, &error), &error);
    assert_ok(qmt_events_open(deep, &b, &error), &error);
    qmt_events_close(a);
    qmt_events_close(b);
    assert_ok(qmt_folder_list(deep, &names, &count, &error), &error);
    assert_int_equal(count, 2);
    qmt_names_free(names, count);
    qmt_free(deep);
    test_remove_folder(folder);
}

static void test_sink(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_events *events;
    const float value = 1;
    assert_ok(qmt_events_open(NULL, &events, &error), &error);
    assert_ok(qmt_events_scalar(events, 1, "a", 1, &error), &error);
    assert_ok(qmt_events_histogram(events, 1, "a", &value, 1, &error), &error);
    assert_ok(qmt_events_text(events, 1, "a", "b", &error), &error);
    assert_ok(qmt_events_flush(events, &error), &error);
    qmt_events_close(events);
    qmt_events_close(NULL);
    assert_int_equal(qmt_events_open("/proc/no/such", &events, &error), QMTCNN_ERROR_IO);
    assert_null(events);
}

static void test_buckets(void **state)
{
    (void)state;
    qmt_buckets *buckets = malloc(sizeof *buckets);
    qmt_histogram *histogram = malloc(sizeof *histogram);
    double *limits = malloc(qmt_bucket_count * sizeof *limits), *counts = malloc(qmt_bucket_count * sizeof *counts);
    qmt_buckets_init(buckets);
    for (int i = 1; i < qmt_bucket_count; i++)
        assert_true(buckets->limit[i] > buckets->limit[i - 1]);
    assert_true(buckets->limit[qmt_bucket_count - 1] == DBL_MAX);
    assert_true(buckets->limit[0] == -DBL_MAX);
    assert_true(buckets->limit[qmt_bucket_count / 2] == 0);
    const float extremes[] = {FLT_MAX, -FLT_MAX, 0, 1e-30f, -1e-30f};
    qmt_histogram_fill(buckets, extremes, 5, histogram);
    assert_true(histogram->number == 5);
    size_t packed = qmt_histogram_pack(buckets, histogram, limits, counts);
    double total = 0;
    for (size_t i = 0; i < packed; i++)
        total += counts[i];
    assert_true(total == 5);
    qmt_histogram_fill(buckets, extremes, 0, histogram);
    assert_true(qmt_histogram_pack(buckets, histogram, limits, counts) >= 1);
    free(buckets);
    free(histogram);
    free(limits);
    free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc), cmocka_unit_test(test_file),
                                       cmocka_unit_test(test_two_files), cmocka_unit_test(test_sink),
                                       cmocka_unit_test(test_buckets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
