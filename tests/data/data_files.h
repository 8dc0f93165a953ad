/* Small hand-made data sets for the tests of readers. */
#ifndef QMT_TEST_DATA_FILES_H
#define QMT_TEST_DATA_FILES_H

#include "common/test.h"
#include "toolkit/base/file.h"
#include "toolkit/data/dataset.h"
#include "toolkit/image/image.h"

#include <string.h>

static inline void put_text(const char *folder, const char *name, const char *text)
{
    qmtcnn_error error;
    char *path = qmt_path_join(folder, name);
    assert_ok(qmt_file_write(path, text, strlen(text), &error), &error);
    qmt_free(path);
}

/* A plain picture; `shade` makes its content differ from others'. */
static inline void put_picture(const char *folder, const char *name, int width, int height, int shade)
{
    qmtcnn_error error;
    qmt_image image;
    char *path = qmt_path_join(folder, name);
    assert_ok(qmt_image_create(width, height, &image, &error), &error);
    memset(image.data, shade, (size_t)width * (size_t)height * 3);
    assert_ok(qmt_image_write(&image, path, &error), &error);
    qmt_image_clear(&image);
    qmt_free(path);
}

#define annotation_name "wider_face_split/wider_face_train_bbx_gt.txt"

/* A data set of this annotation alone. */
static inline qmt_dataset *open_text(const char *folder, const char *text, const qmt_dataset_options *options)
{
    qmtcnn_error error;
    qmt_dataset *dataset;
    put_text(folder, annotation_name, text);
    assert_ok(qmt_dataset_open(folder, "train", options, &dataset, &error), &error);
    return dataset;
}

#endif
