/* A store of P-Net samples that a network can learn: discs ("faces") on noise. */
#ifndef QMT_TEST_SYNTHETIC_H
#define QMT_TEST_SYNTHETIC_H

#include "common/test.h"

#include "toolkit/base/random.h"
#include "toolkit/data/store_manifest.h"
#include "toolkit/data/store_rows.h"

#include <stdio.h>
#include <string.h>

enum { synthetic_side = 12, synthetic_bytes = 3 * synthetic_side * synthetic_side };

/* A disc around (x, y), in pixels, brighter and redder than the ground; radius 0: none. */
static inline void synthetic_paint(uint8_t *pixels, float x, float y, float radius, qmt_random *random)
{
    for (int i = 0; i < synthetic_side * synthetic_side; i++) {
        float dx = (float)(i % synthetic_side) + 0.5f - x, dy = (float)(i / synthetic_side) + 0.5f - y;
        bool inside = dx * dx + dy * dy < radius * radius;
        for (int channel = 0; channel < 3; channel++)
            pixels[3 * i + channel] = (uint8_t)((inside ? 150 - 30 * channel : 60) + (int)qmt_random_below(random, 60));
    }
}

/* Sample `number` of a class. Pictures 0 .. 199 take turns. The color of pixel 0 tells samples apart. */
static inline void synthetic_sample(qmt_sample_class sample_class, uint32_t number, uint8_t *pixels, qmt_sample *sample)
{
    qmt_random random = qmt_random_stream(77, (uint64_t)sample_class, number);
    float spread = sample_class == QMT_PART ? 3 : 1;
    float x = 6 + qmt_random_range(&random, -spread, spread), y = 6 + qmt_random_range(&random, -spread, spread);
    float radius = sample_class == QMT_NEGATIVE ? 0 : qmt_random_range(&random, 4, 6);
    *sample = (qmt_sample){.pixels = pixels, .sample_class = sample_class, .picture = number % 200};
    sample->iou = sample_class == QMT_NEGATIVE ? 0.1f : sample_class == QMT_PART ? 0.5f : 0.8f;
    synthetic_paint(pixels, x, y, radius, &random);
    const float corners[4] = {x - radius, y - radius, x + radius - synthetic_side, y + radius - synthetic_side};
    for (int i = 0; i < 4 && sample_class != QMT_NEGATIVE; i++)
        sample->box[i] = corners[i] / synthetic_side;
    const float points[10] = {-0.4f, -0.3f, 0.4f, -0.3f, 0, 0, -0.3f, 0.4f, 0.3f, 0.4f};
    for (int i = 0; i < 10 && sample_class == QMT_LANDMARK; i++)
        sample->landmarks[i] = ((i % 2 ? y : x) + radius * points[i]) / synthetic_side;
}

/* Writes a store of so many samples of each class into FOLDER, which must exist. */
static inline void synthetic_store(const char *folder, const uint32_t counts[qmt_class_count])
{
    qmtcnn_error error;
    qmt_sample_block block;
    qmt_shard_info info;
    char path[512], name[32];
    size_t total = 0;
    for (int c = 0; c < qmt_class_count; c++)
        total += counts[c];
    assert_ok(qmt_sample_block_create(synthetic_side, total, &block, &error), &error);
    for (int c = 0; c < qmt_class_count; c++)
        for (uint32_t i = 0; i < counts[c]; i++) {
            uint8_t pixels[synthetic_bytes];
            qmt_sample sample;
            synthetic_sample((qmt_sample_class)c, i, pixels, &sample);
            qmt_sample_block_add(&block, &sample);
        }
    qmt_shard_name(0, name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(qmt_sample_block_write(&block, path, "0123456789abcdef", &error), &error);
    assert_ok(qmt_shard_measure(path, &info, &error), &error);
    info.samples = total;
    qmt_manifest manifest = {
        .net = QMT_PNET, .side = synthetic_side, .key = "0123456789abcdef", .shards = &info, .shard_count = 1};
    for (int c = 0; c < qmt_class_count; c++)
        manifest.counts[c] = counts[c];
    qmt_manifest_facts facts = {.config = "", .data_set = "synthetic", .split = "train"};
    assert_ok(qmt_manifest_write(folder, &manifest, &facts, &error), &error);
    qmt_sample_block_clear(&block);
}

#endif
