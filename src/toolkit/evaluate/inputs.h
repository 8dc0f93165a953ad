/* Single networks' inputs, as the cascade makes them. */
#ifndef QMT_EVALUATE_INPUTS_H
#define QMT_EVALUATE_INPUTS_H

#include "toolkit/evaluate/detector.h"

/* Takes one input of a network: height x width pixels, RGB, packed. They are the caller's again afterwards. */
typedef qmtcnn_status (*qmt_input_sink)(void *state, qmt_net_id net, const uint8_t *pixels, int height, int width,
                                        qmtcnn_error *error);

/* Up to `pictures` pictures spread over the data set: of each a level of the pyramid for P-Net, of P-Net's proposals up
 * to 8 crops for R-Net, of R-Net's up to 8 for O-Net, spread over their scores. `detector` proposes. inputs[] counts
 * those of each network. Pictures that can't be read are left out. */
qmtcnn_status qmt_feed_inputs(const qmt_dataset *dataset, const qmt_detector *detector, const qmtcnn_options *options,
                              int pictures, qmt_input_sink sink, void *state, size_t inputs[qmt_net_count],
                              qmtcnn_error *error);

#endif
