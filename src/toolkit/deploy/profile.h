/* Names of a network's tensors and the order of its landmarks, as the programs that load it expect them. */
#ifndef QMT_DEPLOY_PROFILE_H
#define QMT_DEPLOY_PROFILE_H

#include "runtime/model/model.h"

enum { qmt_tensor_name_size = 64 };

typedef struct qmt_profile {
    char name[64];
    char input[qmt_net_count][qmt_tensor_name_size];
    char outputs[qmt_net_count][qmt_head_count][qmt_tensor_name_size];
    bool landmarks_planar; /* x1..x5 y1..y5 instead of pairs */
} qmt_profile;

/* "upright" (ours), "caffe" (those of the published Caffe networks; R- and P-Net's landmark heads, which those lack,
 * get names of the same pattern), or the path of a YAML file with the keys input, face, box, landmarks (each a name, or
 * a list of three) and landmark_order (pairs or planar). What a file leaves out is as in "upright". */
qmtcnn_status qmt_profile_load(const char *name, qmt_profile *profile, qmtcnn_error *error);

/* Gives a model the profile's names, and its landmark channels the profile's order. */
qmtcnn_status qmt_profile_apply(const qmt_profile *profile, qmt_model *model, qmtcnn_error *error);

#endif
