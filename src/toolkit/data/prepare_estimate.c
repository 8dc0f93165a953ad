#define _XOPEN_SOURCE 700
#include "runtime/base/clock.h"
#include "toolkit/data/prepare_job.h"
#include "toolkit/log/progress.h"

#include <math.h>
#include <string.h>

#ifndef _WIN32
#include <sys/statvfs.h>
#endif

/* Enough to see how large pictures are and how fast they decode, and over in a second or two. */
enum { trial_pictures = 8 };

struct trial {
    double samples[qmt_class_count], pictures, faces, seconds;
};

static qmtcnn_status count_sample(void *state, const qmt_sample *sample, qmtcnn_error *error)
{
    struct trial *trial = state;
    (void)error;
    trial->samples[sample->sample_class]++;
    return QMTCNN_OK;
}

static qmtcnn_status try_picture(const qmt_prepare_job *job, qmt_prepare_worker *worker, size_t picture,
                                 struct trial *trial, qmtcnn_error *error)
{
    qmt_mining_recall recall = {0};
    const qmt_picture *entry = &job->dataset->pictures[picture];
    bool unreadable;
    double start = qmt_seconds();
    qmtcnn_status status = qmt_prepare_picture(job, 0, worker, picture, &recall, &unreadable, error);
    if (status != QMTCNN_OK || unreadable)
        return status;
    trial->seconds += qmt_seconds() - start;
    trial->pictures++;
    for (size_t i = 0; i < entry->label_count; i++)
        trial->faces += qmt_face_makes_samples(&job->dataset->labels[entry->first_label + i], job->prepare->min_face,
                                               UINT16_MAX, UINT16_MAX);
    return QMTCNN_OK;
}

/* Bytes free where `folder` lies; negative: unknown. */
static double free_bytes(const char *folder)
{
#ifdef _WIN32
    (void)folder;
    return -1;
#else
    struct statvfs info;
    return statvfs(folder, &info) == 0 ? (double)info.f_bavail * (double)info.f_frsize : -1;
#endif
}

/* Samples written on the way of `made` in all, of which `most` stay (0: all). Of n that a rank made so far, a new one
 * is written with a chance of most / n, for n over `most`. */
static double written_of(double made, double most, double ranks)
{
    const double each = made / ranks;
    return most > 0 && each > most ? ranks * most * (1 + log(each / most)) : made;
}

static void tell(const qmt_prepare_job *job, const struct trial *trial)
{
    const char *net = qmt_net_name(job->options->net);
    double pictures = (double)job->dataset->picture_count;
    /* Negatives come by the picture, everything else by the face. */
    double by_face = trial->faces > 0 ? (double)job->faces / trial->faces : 0, by_picture = pictures / trial->pictures;
    const double most[qmt_class_count] = {job->prepare->max_negatives, job->prepare->max_positives,
                                          job->prepare->max_parts, job->prepare->max_landmarks};
    const double ranks = qmt_ranks_size(job->ranks);
    double written = 0, kept = 0;
    for (int k = 0; k < qmt_class_count; k++) {
        double count = trial->samples[k] * (k == QMT_NEGATIVE ? by_picture : by_face);
        written += written_of(count, most[k], ranks);
        kept += most[k] > 0 && count > most[k] ? most[k] : count;
    }
    double sample_bytes = (double)qmt_sample_bytes(qmt_net_side(job->options->net));
    double needed = written * (sample_bytes + sizeof(uint64_t)),
           /* with its lot */ room = free_bytes(job->options->out);
    double workers = (double)qmt_pool_threads(job->pool) * ranks;
    double seconds = trial->seconds * by_picture / workers;
    bool long_run = seconds >= 120;
    qmt_log_info("[prepare %s] %.0f pictures, %llu faces; expecting about %.0f samples, %.2f GB in the end, %.2f GB on "
                 "the way, %.0f %s on %.0f thread%s",
                 net, pictures, (unsigned long long)job->faces, kept, kept * sample_bytes / 1e9, needed / 1e9,
                 ceil(long_run ? seconds / 60 : seconds), long_run ? "minutes" : "seconds", workers,
                 workers > 1 ? "s" : "");
    if (room >= 0 && room < needed * 1.05)
        qmt_log_warning("[prepare %s] only %.2f GB are free at %s: make room, or make fewer samples "
                        "(prepare.%s.negatives_per_picture, tries_per_face)",
                        net, room / 1e9, job->options->out, net);
}

qmtcnn_status qmt_prepare_estimate(const qmt_prepare_job *job, qmtcnn_error *error)
{
    struct trial trial = {{0}, 0, 0, 0};
    qmt_prepare_worker worker;
    qmtcnn_error why = {0};
    size_t count = job->dataset->picture_count, tries = count < trial_pictures ? count : trial_pictures;
    memset(&worker, 0, sizeof worker);
    worker.cropper.sink = count_sample;
    worker.cropper.sink_state = &trial;
    qmtcnn_status status = QMTCNN_OK;
    for (size_t i = 0; status == QMTCNN_OK && i < tries; i++)
        status = try_picture(job, &worker, i * count / tries, &trial, &why);
    qmt_prepare_worker_clear(&worker);
    if (status != QMTCNN_OK)
        return qmt_fail(error, status, "%s", why.message);
    if (trial.pictures == 0)
        return qmt_fail(error, QMTCNN_ERROR_FORMAT, "none of %zu pictures that were tried can be read: %s", tries,
                        why.message);
    tell(job, &trial);
    return QMTCNN_OK;
}
