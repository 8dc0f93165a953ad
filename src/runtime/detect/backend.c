#include "runtime/detect/cascade.h"

#include <string.h>

/* Our runtime behind qmt_backend. */
struct own {
    const qmt_network *networks[qmt_net_count];
    qmt_workspace **workspaces; /* one a worker */
    int workers;
};

static qmtcnn_status run_pnet(void *state, int worker, const qmt_pixels *level, qmt_face_cells *cells,
                              qmtcnn_error *error)
{
    struct own *own = state;
    qmt_outputs outputs = {.cells = cells};
    return qmt_network_run(own->networks[QMT_PNET], own->workspaces[worker], level->data, level->stride, 1,
                           level->height, level->width, &outputs, NULL, NULL, error);
}

static bool pnet_size(void *state, int height, int width, int *out_height, int *out_width)
{
    struct own *own = state;
    return qmt_network_output_size(own->networks[QMT_PNET], height, width, out_height, out_width);
}

static qmtcnn_status run_crops(void *state, int worker, qmt_net_id net, const uint8_t *crops, int count, float *face,
                               float *box, float *landmarks, qmtcnn_error *error)
{
    struct own *own = state;
    const int side = qmt_net_side(net);
    qmt_outputs outputs = {.face = face, .box = box};
    if (qmt_network_has_head(own->networks[net], QMT_HEAD_LANDMARKS))
        outputs.landmarks = landmarks;
    else if (landmarks)
        memset(landmarks, 0, (size_t)count * 10 * sizeof *landmarks);
    return qmt_network_run(own->networks[net], own->workspaces[worker], crops, 3 * side, count, side, side, &outputs,
                           NULL, NULL, error);
}

/* Every network must say whether there is a face and where, and have the sizes that the cascade counts on. */
static qmtcnn_status check_network(const qmt_network *network, qmt_net_id net, qmtcnn_error *error)
{
    const int side = qmt_net_side(net);
    int height = 0, width = 0;
    if (!qmt_network_has_head(network, QMT_HEAD_FACE) || !qmt_network_has_head(network, QMT_HEAD_BOX))
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%s has no face or no box output: the cascade needs both",
                        qmt_net_name(net));
    if (!qmt_network_output_size(network, side, side, &height, &width) || height != 1 || width != 1)
        return qmt_fail(error, QMTCNN_ERROR_UNSUPPORTED, "%s makes %d x %d outputs from %d x %d pixels, not one",
                        qmt_net_name(net), width, height, side, side);
    return QMTCNN_OK;
}

qmtcnn_status qmt_backend_create(const qmt_network *const networks[qmt_net_count], int workers, qmt_backend *backend,
                                 qmtcnn_error *error)
{
    qmtcnn_status status = QMTCNN_OK;
    *backend = (qmt_backend){.run_pnet = run_pnet, .pnet_size = pnet_size, .run_crops = run_crops};
    for (int i = 0; i < qmt_net_count && status == QMTCNN_OK; i++)
        status = networks[i] ? check_network(networks[i], (qmt_net_id)i, error) : QMTCNN_OK;
    if (status != QMTCNN_OK)
        return status;
    struct own *own = qmt_alloc_zero(1, sizeof *own);
    if (!own)
        return qmt_fail_memory(error, sizeof *own, "a detector's networks");
    backend->state = own;
    memcpy(own->networks, networks, sizeof own->networks);
    own->workspaces = qmt_alloc_zero((size_t)workers, sizeof(qmt_workspace *));
    if (!own->workspaces)
        status = qmt_fail_memory(error, (size_t)workers * sizeof(qmt_workspace *), "a detector's threads");
    for (int i = 0; i < workers && status == QMTCNN_OK; i++) {
        status = qmt_workspace_create(&own->workspaces[i], error);
        own->workers = i + (status == QMTCNN_OK);
    }
    if (status != QMTCNN_OK)
        qmt_backend_free(backend);
    return status;
}

void qmt_backend_free(qmt_backend *backend)
{
    struct own *own = backend->state;
    if (own) {
        for (int i = 0; i < own->workers; i++)
            qmt_workspace_free(own->workspaces[i]);
        qmt_free(own->workspaces);
        qmt_free(own);
    }
    backend->state = NULL;
}

size_t qmt_backend_bytes(const qmt_backend *backend)
{
    const struct own *own = backend->state;
    size_t bytes = 0;
    for (int i = 0; own && i < own->workers; i++)
        bytes += qmt_workspace_bytes(own->workspaces[i]);
    return bytes;
}
