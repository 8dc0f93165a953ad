/* The cascade: pyramid, P-Net, suppression, R-Net, suppression, O-Net, suppression, landmarks. */
#ifndef QMT_DETECT_CASCADE_H
#define QMT_DETECT_CASCADE_H

#include "runtime/base/threads.h"
#include "runtime/detect/box.h"
#include "runtime/detect/resize.h"
#include "runtime/kernels/network.h"

/* How the cascade reaches networks. Ours is the first; ONNX Runtime or TensorRT can fill the same struct. Functions may
 * be called from several threads at once with different `worker` numbers in [0, workers). */
typedef struct qmt_backend {
    void *state;
    /* One pyramid level: appends the cells (stride 2, 12 pixels wide) whose face probability is over cells->threshold,
     * row by row. There is room for all. */
    qmtcnn_status (*run_pnet)(void *state, int worker, const qmt_pixels *level, qmt_face_cells *cells,
                              qmtcnn_error *error);
    /* Cells of P-Net's map for a level. */
    bool (*pnet_size)(void *state, int height, int width, int *out_height, int *out_width);
    /* `count` crops of 24 x 24 (net QMT_RNET) or 48 x 48 (QMT_ONET), uint8 RGB, packed. */
    qmtcnn_status (*run_crops)(void *state, int worker, qmt_net_id net, const uint8_t *crops, int count, float *face,
                               float *box, float *landmarks, qmtcnn_error *error);
} qmt_backend;

/* Fills `backend` with our runtime. networks[i] must outlive it; those after the `last` that
 * is ever run may be NULL. Free with qmt_backend_free(). */
qmtcnn_status qmt_backend_create(const qmt_network *const networks[qmt_net_count], int workers, qmt_backend *backend,
                                 qmtcnn_error *error);
/* Only for a back-end that qmt_backend_create() made. */
void qmt_backend_free(qmt_backend *backend);
/* Bytes of its workspaces now. */
size_t qmt_backend_bytes(const qmt_backend *backend);

typedef struct qmt_cascade qmt_cascade;

/* `last`: run only up to this network (QMT_ONET for all), as mining and stage recall need it. */
typedef struct qmt_cascade_options {
    qmtcnn_options detect;
    qmt_net_id last;
} qmt_cascade_options;

qmtcnn_status qmt_cascade_create(const qmt_backend *backend, qmt_pool *pool, qmt_cascade **cascade,
                                 qmtcnn_error *error);
void qmt_cascade_free(qmt_cascade *cascade);
size_t qmt_cascade_bytes(const qmt_cascade *cascade);

/* Candidates of one picture, best first, after the last network's suppression: for P- and R-Net squared and regressed,
 * the very boxes that the next network would get; for O-Net the final boxes with landmarks. They belong to the cascade
 * until its next run. */
qmtcnn_status qmt_cascade_run(qmt_cascade *cascade, const qmt_pixels *picture, const qmt_cascade_options *options,
                              const qmt_candidate **candidates, size_t *count, qmtcnn_timing *timing,
                              qmtcnn_error *error);

enum { qmt_max_levels = 192 }; /* the finest steps (0.95) on the largest picture make 168 */

/* Scales of the pyramid, largest first: 12 / min_face * scale_factor^k while the smaller side stays >= 12 and the
 * level's faces are not far over max_face. Returns how many (at most qmt_max_levels). */
int qmt_pyramid_scales(int width, int height, const qmtcnn_options *options, double scales[qmt_max_levels]);

/* A part of a pyramid level that P-Net runs on at once: all of its width and some of its height. Parts overlap, so that
 * each cell is computed once, from the same pixels as on the whole level. They bound the memory that a large picture
 * takes, and spread over threads; how a picture is cut depends on nothing but its size, the options and the number of
 * threads, and no result depends on that. */
typedef struct qmt_tile {
    int level;                     /* from 0, the largest */
    int level_width, level_height; /* pixels */
    int y, height;                 /* rows of the level */
    int cell_row;                  /* of the level's map, the first here */
    int cell_rows, cell_columns;
} qmt_tile;

/* All tiles of a picture for so many threads, largest level first, from top to bottom. Fills *tiles as qmt_grow() does.
 * Fails where P-Net's maps have another geometry than stride 2 and cell 12. */
qmtcnn_status qmt_pyramid_tiles(const qmt_backend *backend, int width, int height, const qmtcnn_options *options,
                                int threads, qmt_tile **tiles, size_t *capacity, size_t *count, qmtcnn_error *error);

#endif
