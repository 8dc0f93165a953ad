/* Generated pictures with labels for the tests of crops, mining and prepare. Pixel x, y of a 256 x 256 picture holds
 * red x and green y, so that a crop's pixels tell where it was cut. */
#ifndef QMT_TEST_SCENES_H
#define QMT_TEST_SCENES_H

#include "common/test.h"
#include "toolkit/base/file.h"
#include "toolkit/data/dataset.h"
#include "toolkit/image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { scene_side = 256 };

static inline void scene_paint(qmt_image *image)
{
    qmtcnn_error error;
    assert_ok(qmt_image_create(scene_side, scene_side, image, &error), &error);
    for (int y = 0; y < scene_side; y++) {
        for (int x = 0; x < scene_side; x++) {
            uint8_t *pixel = image->data + 3 * (y * scene_side + x);
            pixel[0] = (uint8_t)x;
            pixel[1] = (uint8_t)y;
            pixel[2] = 100;
        }
    }
}

static inline qmt_label scene_face(float x, float y, float width, float height)
{
    qmt_label label;
    memset(&label, 0, sizeof label);
    label.box = (qmt_box){x, y, x + width, y + height};
    return label;
}

/* With points where those of a face are. */
static inline qmt_label scene_face_with_points(float x, float y, float width, float height)
{
    static const float at[5][2] = {{0.3f, 0.4f}, {0.7f, 0.4f}, {0.5f, 0.6f}, {0.35f, 0.78f}, {0.65f, 0.78f}};
    qmt_label label = scene_face(x, y, width, height);
    label.has_landmarks = true;
    for (int i = 0; i < 5; i++) {
        label.landmarks[i][0] = x + at[i][0] * width;
        label.landmarks[i][1] = y + at[i][1] * height;
    }
    return label;
}

/* Where a crop of side x side pixels was cut, to about half a pixel of the picture. */
static inline qmt_box scene_where(const uint8_t *pixels, int side)
{
    const uint8_t *last = pixels + 3 * (side * side - 1);
    float step = 1 / (2 * (float)side); /* of the crop: centers of its outermost pixels */
    float x1 = (float)pixels[0] + 0.5f, x2 = (float)last[0] + 0.5f, y1 = (float)pixels[1] + 0.5f,
          y2 = (float)last[1] + 0.5f;
    float width = (x2 - x1) / (1 - 2 * step), height = (y2 - y1) / (1 - 2 * step);
    return (qmt_box){x1 - step * width, y1 - step * height, x2 + step * width, y2 + step * height};
}

static inline double scene_iou(qmt_box a, qmt_box b)
{
    double width = (a.x2 < b.x2 ? a.x2 : b.x2) - (a.x1 > b.x1 ? a.x1 : b.x1);
    double height = (a.y2 < b.y2 ? a.y2 : b.y2) - (a.y1 > b.y1 ? a.y1 : b.y1);
    if (width <= 0 || height <= 0)
        return 0;
    double both = width * height;
    return both /
           ((double)(a.x2 - a.x1) * (double)(a.y2 - a.y1) + (double)(b.x2 - b.x1) * (double)(b.y2 - b.y1) - both);
}

/* A data set of `count` pictures under `folder`: picture i has two faces, one with landmarks, and an ignored region. */
typedef struct scene_set {
    qmt_dataset dataset;
    qmt_picture *pictures;
    qmt_label *labels;
} scene_set;

static inline void scene_set_make(const char *folder, int count, scene_set *set)
{
    qmtcnn_error error;
    qmt_image image;
    memset(set, 0, sizeof *set);
    set->pictures = calloc((size_t)count, sizeof *set->pictures);
    set->labels = calloc((size_t)count * 3, sizeof *set->labels);
    assert_non_null(set->pictures);
    assert_non_null(set->labels);
    scene_paint(&image);
    for (int i = 0; i < count; i++) {
        qmt_picture *picture = &set->pictures[i];
        qmt_label *labels = set->labels + 3 * i;
        float move = (float)(i % 7) * 5;
        picture->name = qmt_format("picture-%d.png", i);
        picture->path = qmt_format("%s/picture-%d.png", folder, i);
        picture->first_label = (size_t)i * 3;
        picture->label_count = 3;
        labels[0] = scene_face_with_points(20 + move, 30, 50, 60);
        labels[1] = scene_face(120, 140 - move, 80, 90);
        labels[2] = scene_face(180, 10, 60, 60);
        labels[2].ignore = true;
        assert_ok(qmt_image_write(&image, picture->path, &error), &error);
    }
    qmt_image_clear(&image);
    set->dataset.folder = (char *)(uintptr_t)folder;
    set->dataset.split = (char *)(uintptr_t) "train";
    set->dataset.annotation_path = (char *)(uintptr_t) "made by hand";
    set->dataset.pictures = set->pictures;
    set->dataset.picture_count = (size_t)count;
    set->dataset.labels = set->labels;
    set->dataset.label_count = (size_t)count * 3;
}

static inline void scene_set_free(scene_set *set)
{
    for (size_t i = 0; i < set->dataset.picture_count; i++) {
        qmt_free(set->pictures[i].name);
        qmt_free(set->pictures[i].path);
    }
    free(set->labels);
    free(set->pictures);
}

#endif
