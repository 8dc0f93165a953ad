#include "toolkit/deploy/scales.h"

#include "toolkit/config/text.h"

qmtcnn_status qmt_model_note_scales(qmt_model *model, qmtcnn_error *error)
{
    qmt_text text = {0};
    for (int i = 0; i < model->layer_count + qmt_head_count; i++) {
        const qmt_layer *layer = i < model->layer_count ? &model->layers[i] : &model->heads[i - model->layer_count];
        if (layer->weight_int8)
            qmt_text_add(&text, "%s%s %.9g", text.size ? ", " : "", layer->name, (double)layer->input_scale);
    }
    bool any = text.size > 0;
    char *scales = qmt_text_take(&text);
    if (!scales)
        return qmt_fail_memory(error, 1024, "scales");
    qmtcnn_status status = any ? qmt_model_set_metadata(model, "qmtcnn.scales", scales, error) : QMTCNN_OK;
    qmt_free(scales);
    return status;
}
