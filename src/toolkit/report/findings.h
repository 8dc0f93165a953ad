/* What a reader of the results should look at first: units that never fire, quantizers that saturate, samples that the
 * training repeats or never sees. */
#ifndef QMT_REPORT_FINDINGS_H
#define QMT_REPORT_FINDINGS_H

#include "toolkit/report/report.h"

enum { qmt_most_findings = 96 };

typedef enum qmt_finding_kind {
    QMT_FINDING_DEAD,      /* value: share of a layer's channels that were 0 for all inputs */
    QMT_FINDING_SATURATED, /* share of a layer's outputs at the last step */
    QMT_FINDING_REPEATED,  /* how often an epoch shows each sample of a class */
    QMT_FINDING_UNSEEN,    /* share of a class's samples that the whole training never shows */
    QMT_FINDING_MISSING    /* 0: a class that has a part of the batch and no samples */
} qmt_finding_kind;

/* From which value on each kind is a finding. */
double qmt_finding_threshold(qmt_finding_kind kind);
/* "dead", "saturated", "repeated", "unseen", "missing". */
const char *qmt_finding_name(qmt_finding_kind kind);

typedef struct qmt_finding {
    qmt_finding_kind kind;
    qmt_net_id net;
    char what[64]; /* the layer, or the class of samples */
    double value;
    char text[400]; /* what it is, and what to do about it */
} qmt_finding;

typedef struct qmt_findings {
    qmt_finding items[qmt_most_findings];
    size_t count;
} qmt_findings;

/* How the samples of a class meet the training. */
typedef struct qmt_class_use {
    double samples; /* that teach: without the part that is held out */
    double share;   /* of a batch */
    double per_epoch /* how often an epoch shows each */, in_all;
} qmt_class_use;
/* From a store's manifest and the settings of its network's training; false where the manifest is damaged or has no
 * samples. Estimates the held-out part by its share of pictures. */
bool qmt_class_uses(const char *manifest, const qmt_train_config *train, qmt_class_use uses[4]);

/* All that is over its threshold, in the order of networks; the most important kinds first. Borrows nothing. */
void qmt_findings_make(const qmt_report *report, qmt_findings *findings);

#endif
