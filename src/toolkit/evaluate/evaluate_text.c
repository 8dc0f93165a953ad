#include "toolkit/evaluate/evaluate.h"
#include "toolkit/evaluate/text.h"

#include <math.h>
#include <stdio.h>

static void add_label_protocol(qmt_text *text, const qmt_evaluation *evaluation)
{
    qmt_text_add(
        text,
        "ap: area under the precision envelope over every score. Boxes of a picture are taken best first; each "
        "goes to the face that it overlaps most (IoU >= %.2f, corners as real numbers). Faces marked invalid and "
        "faces with a smaller side under %d pixels count neither way; a second box on a found face is a false "
        "alarm; pictures without faces count.\n",
        evaluation->iou, evaluation->min_face);
    qmt_text_add(text, "ap_1000: the same faces by WIDER FACE's method (below).\n");
    qmt_text_add(text,
                 "ap_by_size: faces by their smaller side; faces of other sizes, and unmatched boxes of other sizes, "
                 "count neither way.\n");
    qmt_text_add(text, "froc: recall with at most so many false alarms a picture.\n");
    qmt_text_add(text,
                 "at_score, recall_by_size: of the boxes with a score of at least %.2f (the detector's own limit for "
                 "O-Net) among all that this run found.\n",
                 evaluation->score);
    qmt_text_add(text, "landmark_error: mean distance of the five points over the labeled eye distance, on found faces "
                       "with labeled points.\n");
}

char *qmt_evaluation_protocol(const qmt_evaluation *evaluation)
{
    qmt_text text = {0};
    if (evaluation->precision[0])
        qmt_text_add(&text,
                     "Detector: one scale pyramid from %d-pixel faces, thresholds %.2f %.2f %.2f, pictures at "
                     "their own size, boxes cut at the border.\n",
                     evaluation->detect_min_face, (double)evaluation->thresholds[0], (double)evaluation->thresholds[1],
                     (double)evaluation->thresholds[2]);
    if (!isnan(evaluation->ap))
        add_label_protocol(&text, evaluation);
    if (!isnan(evaluation->ap_1000) || !isnan(evaluation->ap_easy) || !isnan(evaluation->ap_medium) ||
        !isnan(evaluation->ap_hard))
        qmt_text_add(&text,
                     "WIDER FACE's method%s: scores min-max normalized over the whole set, 1,000 thresholds, IoU >= "
                     "0.5 with one pixel added to each side, a box on a face outside the setting's list counts "
                     "neither way, pictures without any labeled face are left out%s, area under the precision "
                     "envelope.\n",
                     isnan(evaluation->ap_hard) && isnan(evaluation->ap_easy) ? "" : " (ap_easy, ap_medium, ap_hard)",
                     isnan(evaluation->ap) ? "" : " (but count in ap_1000)");
    if (evaluation->missing)
        qmt_text_add(&text, "%zu pictures have no record of boxes; their faces count as missed.\n",
                     evaluation->missing);
    if (evaluation->unreadable)
        qmt_text_add(&text, "%zu pictures could not be decoded; their faces count as missed.\n",
                     evaluation->unreadable);
    return qmt_text_take(&text);
}

static void add_line(qmt_text *text, const char *label, double value, const char *note)
{
    if (isnan(value))
        return;
    qmt_text_add(text, "  %-28s", label);
    qmt_text_add_figure(text, 8, 4, value);
    qmt_text_add(text, "%s%s\n", *note ? "  " : "", note);
}

static void add_wider(qmt_text *text, const char *label, double ap, size_t faces)
{
    if (!isnan(ap))
        qmt_text_add(text, "  %-28s%8.4f  %zu faces\n", label, ap, faces);
}

static void add_sizes(qmt_text *text, const qmt_evaluation *evaluation)
{
    qmt_text_add(text, "\n  %-12s%8s%10s%10s\n", "face size", "faces", "AP", "recall");
    for (int i = 0; i < qmt_size_bins; i++) {
        const qmt_size_result *bin = &evaluation->by_size[i];
        qmt_text_add(text, "  %-12s%8zu", qmt_size_bin_name(i), bin->faces);
        qmt_text_add_figure(text, 10, 4, bin->ap);
        qmt_text_add_figure(text, 10, 4, bin->recall);
        qmt_text_add(text, "\n");
    }
}

char *qmt_evaluation_text(const qmt_evaluation *evaluation)
{
    qmt_text text = {0};
    char note[64];
    qmt_text_add(&text, "%s%s%s%s\n", evaluation->detector, evaluation->precision[0] ? " (" : "", evaluation->precision,
                 evaluation->precision[0] ? ")" : "");
    qmt_text_add(&text, "%zu pictures, %zu faces", evaluation->pictures, evaluation->faces);
    if (evaluation->ignored_faces)
        qmt_text_add(&text, " and %zu that count neither way", evaluation->ignored_faces);
    qmt_text_add(&text, ", %zu boxes, %.1f s\n\n", evaluation->boxes, evaluation->seconds);
    add_line(&text, "AP", evaluation->ap, "");
    add_line(&text, "AP, 1,000 thresholds", evaluation->ap_1000, "");
    add_wider(&text, "AP, easy", evaluation->ap_easy, evaluation->faces_easy);
    add_wider(&text, "AP, medium", evaluation->ap_medium, evaluation->faces_medium);
    add_wider(&text, "AP, hard", evaluation->ap_hard, evaluation->faces_hard);
    add_line(&text, "recall at 0.1 false alarms", evaluation->froc[0], "a picture");
    add_line(&text, "recall at 1 false alarm", evaluation->froc[1], "a picture");
    snprintf(note, sizeof note, "at score %.2f", evaluation->score);
    add_line(&text, "precision", evaluation->precision_at_score, note);
    add_line(&text, "recall", evaluation->recall_at_score, note);
    snprintf(note, sizeof note, "of the eye distance, %zu faces", evaluation->landmark_faces);
    add_line(&text, "landmark error", evaluation->landmark_error, note);
    add_line(&text, "milliseconds a picture", evaluation->median_milliseconds, "median, one thread a picture");
    if (!isnan(evaluation->ap))
        add_sizes(&text, evaluation);
    char *protocol = qmt_evaluation_protocol(evaluation);
    qmt_text_add(&text, "\nProtocol\n");
    qmt_text_add_wrapped(&text, qmt_text_width, protocol ? protocol : "");
    qmt_free(protocol);
    return qmt_text_take(&text);
}
