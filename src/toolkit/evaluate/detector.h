/* Our detector over a data set: three networks from any folders, each in any precision, one cascade a thread. */
#ifndef QMT_DETECTOR_H
#define QMT_DETECTOR_H

#include "runtime/detect/advice.h"
#include "runtime/detect/cascade.h"
#include "toolkit/data/dataset.h"
#include "toolkit/deploy/scores.h"
#include "toolkit/evaluate/detections.h"
#include "toolkit/image/image.h"

/* Three packed networks; read-only, threads may share them. */
typedef struct qmt_detector qmt_detector;

typedef struct qmt_network_source {
    const char *folder;         /* with pnet.onnx, rnet.onnx, onet.onnx */
    qmtcnn_precision precision; /* INT8 fails where the file holds no Q/DQ nodes */
} qmt_network_source;

/* Opens the networks up to `last`, each from its own source. */
qmtcnn_status qmt_detector_open(const qmt_network_source sources[qmt_net_count], qmt_net_id last,
                                qmt_detector **detector, qmtcnn_error *error);
/* The same with calibrated scores (maps[] of all three), whatever the files hold. */
qmtcnn_status qmt_detector_open_mapped(const qmt_network_source sources[qmt_net_count],
                                       const qmt_score_map maps[qmt_net_count], qmt_net_id last,
                                       qmt_detector **detector, qmtcnn_error *error);
/* Three networks that are at hand, each layer as its model has it. The models may be freed afterwards. */
qmtcnn_status qmt_detector_from_models(const qmt_model *const models[qmt_net_count], qmt_detector **detector,
                                       qmtcnn_error *error);
void qmt_detector_close(qmt_detector *detector);
/* NULL for networks after the last. */
const qmt_network *qmt_detector_network(const qmt_detector *detector, qmt_net_id net);
/* Bytes of packed weights of all networks. */
size_t qmt_detector_bytes(const qmt_detector *detector);
/* "int8", "fp32", or "mixed". */
const char *qmt_detector_precision(const qmt_detector *detector);

/* The options with the files' own accuracy options where `options` has none: NAN in fusion, in fusion_odds (1 where
 * fusion is not the files' own), in vote and in refined_nms; qmt_overlap_as_models_say in last_overlap (with nms[3]).
 * What runs a detector calls this itself. */
qmtcnn_options qmt_detector_options(const qmt_detector *detector, const qmtcnn_options *options);

/* One thread's scratch memory for a detector. */
typedef struct qmt_finder qmt_finder;
qmtcnn_status qmt_finder_create(const qmt_detector *detector, qmt_finder **finder, qmtcnn_error *error);
/* The same, stopping after `last`, which is at most the detector's own. */
qmtcnn_status qmt_finder_create_until(const qmt_detector *detector, qmt_net_id last, qmt_finder **finder,
                                      qmtcnn_error *error);
void qmt_finder_free(qmt_finder *finder);
size_t qmt_finder_bytes(const qmt_finder *finder);
/* A picture's boxes after the networks up to the finder's last, best first; they belong to the finder until its next
 * call. Boxes of O-Net are cut at the picture's border (options->clip) as the public API cuts them. */
qmtcnn_status qmt_finder_run(qmt_finder *finder, const qmt_image *image, const qmtcnn_options *options,
                             const qmt_detection **boxes, size_t *count, double *milliseconds, qmtcnn_error *error);

/* Every picture of a data set, `threads` (0: one per processor) pictures at a time; options->threads is not used. The
 * result does not depend on the number of threads, but for the times. A picture that can't be decoded is reported with
 * a warning and kept as one without boxes. `title` is shown with the progress; NULL shows none. */
qmtcnn_status qmt_detector_run(const qmt_detector *detector, const qmt_dataset *dataset, const qmtcnn_options *options,
                               int threads, const char *title, qmt_detections **detections, qmtcnn_error *error);

#endif
