#include "runtime/detect/advice.h"

#include <string.h>

void qmt_advice_default(qmt_advice *advice)
{
    *advice = (qmt_advice){.thresholds = {0.6f, 0.7f, 0.7f}, .last_overlap = QMTCNN_OVERLAP_SMALLER, .last_nms = 0.7f};
}

/* "0.6" to a number, whatever the program's locale says of decimal points. */
static bool parse_number(const char *text, float *value)
{
    double number = 0, unit = 1;
    bool digits = false, point = false;
    for (; *text; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (*text < '0' || *text > '9')
            return false;
        digits = true;
        if (point) {
            unit /= 10;
            number += unit * (*text - '0');
        } else {
            number = 10 * number + (*text - '0');
        }
        if (number > 1e9)
            return false;
    }
    *value = (float)number;
    return digits;
}

bool qmt_last_nms_parse(const char *text, qmtcnn_overlap *overlap, float *threshold)
{
    float value = 0;
    const bool by_union = strncmp(text, "union:", 6) == 0;
    if (!by_union && strncmp(text, "min:", 4) != 0)
        return false;
    if (!parse_number(text + (by_union ? 6 : 4), &value) || value > 1)
        return false;
    *overlap = by_union ? QMTCNN_OVERLAP_UNION : QMTCNN_OVERLAP_SMALLER;
    *threshold = value;
    return true;
}

/* One number of the metadata: what it may be, and where it goes. */
struct entry {
    const char *key;
    float *value;
    float low, high;   /* or 0, where `or_zero` */
    bool below, whole; /* less than `high`; a multiple of 1/4 */
    bool or_zero;
    const char *range; /* in words */
};

static qmtcnn_status fail_value(const char *name, const char *key, const char *text, const char *range,
                                qmtcnn_error *error)
{
    return qmt_fail(error, QMTCNN_ERROR_FORMAT, "%s: its metadata say %s = \"%.40s\": %s is needed", name, key, text,
                    range);
}

static qmtcnn_status read_entry(const qmt_model *file, const char *name, const struct entry *entry, qmtcnn_error *error)
{
    const char *text = qmt_model_metadata(file, entry->key);
    float value = 0;
    if (!text)
        return QMTCNN_OK;
    bool fits = parse_number(text, &value);
    if (fits && !(entry->or_zero && value == 0))
        fits = value >= entry->low && value <= entry->high && !(entry->below && value >= entry->high) &&
               !(entry->whole && 4 * value != (float)(int)(4 * value));
    if (!fits)
        return fail_value(name, entry->key, text, entry->range, error);
    *entry->value = value;
    return QMTCNN_OK;
}

qmtcnn_status qmt_advice_read(const qmt_model *file, const char *name, qmt_advice *advice, qmtcnn_error *error)
{
    const struct entry entries[] = {
        {"qmtcnn.threshold", &advice->thresholds[file->net], 0, 1, true, false, false, "a number from 0 to below 1"},
        {"qmtcnn.fusion", &advice->fusion, 0, 0.75f, false, true, true, "0, 0.25, 0.5 or 0.75"},
        {"qmtcnn.fusion.odds", &advice->fusion_odds, 1e-6f, 1e6f, false, false, true,
         "a number from 0.000001 to 1000000"},
        {"qmtcnn.vote", &advice->vote, 0.2f, 1, false, false, true, "0 or a number from 0.2 to 1"},
        {"qmtcnn.refined_nms.pnet", &advice->refined_nms[0], 0.5f, 1, false, false, true,
         "0 or a number from 0.5 to 1"},
        {"qmtcnn.refined_nms.rnet", &advice->refined_nms[1], 0.5f, 1, false, false, true,
         "0 or a number from 0.5 to 1"},
    };
    const size_t count = file->net == QMT_ONET ? sizeof entries / sizeof *entries : 1;
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; i < count && status == QMTCNN_OK; i++)
        status = read_entry(file, name, &entries[i], error);
    const char *last = count > 1 ? qmt_model_metadata(file, "qmtcnn.last_nms") : NULL;
    if (status == QMTCNN_OK && last)
        advice->has_last_nms = qmt_last_nms_parse(last, &advice->last_overlap, &advice->last_nms);
    if (status == QMTCNN_OK && last && !advice->has_last_nms)
        status = fail_value(name, "qmtcnn.last_nms", last, "\"union:\" or \"min:\" and a number from 0 to 1", error);
    return status;
}
