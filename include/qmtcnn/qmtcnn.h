/* qmtcnn: the MTCNN face detector (P-Net, R-Net, O-Net) on a CPU, in FP32 and INT8.
 *
 * This is the only public header of libqmtcnn. It comes in layers:
 *   1. Simple: qmtcnn_model_open(), qmtcnn_context_create(), qmtcnn_detect().
 *   2. Advanced: options, models from memory, image views in other pixel formats.
 *
 *     qmtcnn_error error;
 *     qmtcnn_model *model = NULL;
 *     qmtcnn_context *context = NULL;
 *     const qmtcnn_face *faces = NULL;
 *     size_t count = 0;
 *     qmtcnn_image view = {pixels, width, height, 3 * width, QMTCNN_RGB, NULL, 0};
 *     if (qmtcnn_model_open("models/mtcnn_qat", QMTCNN_PRECISION_AUTO, &model, &error) != QMTCNN_OK ||
 *         qmtcnn_context_create(model, NULL, &context, &error) != QMTCNN_OK ||
 *         qmtcnn_detect(context, &view, &faces, &count, &error) != QMTCNN_OK)
 *         fprintf(stderr, "%s\n", error.message);
 *     qmtcnn_context_free(context);
 *     qmtcnn_model_close(model);
 *
 * Thread safety: a qmtcnn_model never changes after it is opened, so any number of threads may share one.
 * A qmtcnn_context belongs to one thread at a time; give each thread its own.
 * A result depends on the picture, the options and the model, and on nothing that the context saw before.
 */
#ifndef QMTCNN_H
#define QMTCNN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(QMTCNN_SHARED)
#ifdef QMTCNN_BUILDING
#define QMTCNN_API __declspec(dllexport)
#else
#define QMTCNN_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define QMTCNN_API __attribute__((visibility("default")))
#else
#define QMTCNN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ---------------------------------------------------------------------------------- */

typedef enum qmtcnn_status {
    QMTCNN_OK = 0,
    QMTCNN_ERROR_ARGUMENT = 1,    /* a parameter is NULL or out of range */
    QMTCNN_ERROR_MEMORY = 2,      /* an allocation failed */
    QMTCNN_ERROR_IO = 3,          /* a file can't be opened, read or written */
    QMTCNN_ERROR_FORMAT = 4,      /* a file is damaged or isn't what it says it is */
    QMTCNN_ERROR_UNSUPPORTED = 5, /* a sound file or request that this library can't handle */
    QMTCNN_ERROR_INTERRUPTED = 6, /* stopped by Ctrl-C; what was finished is saved */
    QMTCNN_ERROR_NUMERIC = 7      /* a NaN, an infinity or a diverging training run */
} qmtcnn_status;

#define QMTCNN_MESSAGE_SIZE 512

/* What went wrong, where, and what to do. Owned by the caller; written only when a call fails.
 * Every `error` parameter may be NULL when the status is enough. */
typedef struct qmtcnn_error {
    qmtcnn_status status;
    char message[QMTCNN_MESSAGE_SIZE]; /* one line of UTF-8, zero terminated */
} qmtcnn_error;

/* A short name for a status, such as "out of memory". Never NULL; static storage. */
QMTCNN_API const char *qmtcnn_status_name(qmtcnn_status status);

/* The library's version, such as "0.1.0". Static storage. */
QMTCNN_API const char *qmtcnn_version(void);

/* ---- Models ---------------------------------------------------------------------------------- */

typedef enum qmtcnn_precision {
    QMTCNN_PRECISION_AUTO = 0, /* INT8 where the files hold Q/DQ nodes, else FP32 */
    QMTCNN_PRECISION_FP32 = 1, /* ignore Q/DQ nodes and compute in FP32 */
    QMTCNN_PRECISION_INT8 = 2  /* fail unless the files hold Q/DQ nodes */
} qmtcnn_precision;

/* Three networks, read-only after opening. Share one among threads. */
typedef struct qmtcnn_model qmtcnn_model;

/* Opens FOLDER/pnet.onnx, FOLDER/rnet.onnx and FOLDER/onet.onnx.
 * On success *model is to be closed with qmtcnn_model_close(); on failure it is NULL. */
QMTCNN_API qmtcnn_status qmtcnn_model_open(const char *folder, qmtcnn_precision precision, qmtcnn_model **model,
                                           qmtcnn_error *error);

/* A block of memory that the caller keeps. */
typedef struct qmtcnn_buffer {
    const void *data;
    size_t size; /* bytes */
} qmtcnn_buffer;

/* The same from ONNX files in memory, in the order P-Net, R-Net, O-Net.
 * The buffers may be freed as soon as the call returns. */
QMTCNN_API qmtcnn_status qmtcnn_model_open_memory(const qmtcnn_buffer networks[3], qmtcnn_precision precision,
                                                  qmtcnn_model **model, qmtcnn_error *error);

/* Frees a model after all its contexts are freed. NULL is allowed. */
QMTCNN_API void qmtcnn_model_close(qmtcnn_model *model);

/* The precision that the networks run in: FP32 or INT8, never AUTO. INT8 if any network has INT8 layers. */
QMTCNN_API qmtcnn_precision qmtcnn_model_precision(const qmtcnn_model *model);

/* Bytes of weights and tables that the model holds. */
QMTCNN_API size_t qmtcnn_model_bytes(const qmtcnn_model *model);

/* ---- Detection ------------------------------------------------------------------------------- */

typedef enum qmtcnn_clip {
    QMTCNN_CLIP_IMAGE = 0, /* a box is cut at the picture's border (default); landmarks are not moved */
    QMTCNN_CLIP_NONE = 1   /* a box may reach past the border, as the network drew it */
} qmtcnn_clip;

/* What the last suppression measures overlap by. */
typedef enum qmtcnn_overlap {
    QMTCNN_OVERLAP_SMALLER = 0, /* shared area over the smaller box's, as in the original MTCNN ("min") */
    QMTCNN_OVERLAP_UNION = 1    /* shared area over that of both together (IoU) */
} qmtcnn_overlap;

typedef struct qmtcnn_options {
    int min_face;        /* smallest face side to look for, pixels, >= 12; default 20 */
    int max_face;        /* largest, pixels; 0 (default) is no limit */
    float scale_factor;  /* ratio of neighboring pyramid levels, in (0.1, 0.95]; default 0.709 */
    float thresholds[3]; /* scores to pass P-, R- and O-Net, in [0, 1); default: the model's own, else .6 .7 .7 */
    float nms[4];        /* IoU to suppress at: P-Net in a level, P-Net over levels, R-Net, O-Net (by
                            `last_overlap`); default .5 .7 .7 .7, or the model's own for O-Net */
    int max_proposals;   /* best P-Net boxes that go to R-Net, 1 to 100,000; default 10,000 */
    int threads;         /* threads in this context, 1 to 256; 0: one per processor; default 1 */
    qmtcnn_clip clip;    /* default QMTCNN_CLIP_IMAGE */
    /* Accuracy options; all zero: the original MTCNN. Default: what the model's files recommend, else zero. */
    qmtcnn_overlap last_overlap; /* of the last suppression, at nms[3] */
    float fusion;                /* weight of R-Net's score in the final one: 0 (O-Net's alone), .25, .5 or .75. The
                                    final score is the sigmoid of fusion * logit(R-Net's) + (1 - fusion) *
                                    logit(O-Net's) + ln(fusion_odds), and O-Net's threshold applies to it */
    float fusion_odds;           /* 1e-6 to 1e6; 0 is 1 */
    float vote;                  /* a face's box and landmarks become the mean, weighted by score, of those of all
                                    candidates whose IoU with it is at least this, .2 to 1; 0: no voting */
    float refined_nms[2];        /* IoU at which boxes that P-Net, and that R-Net, corrected are suppressed once more,
                                    so that no face is looked at again and again, .5 to 1; 0: not */
    uint32_t reserved[10];       /* zero */
} qmtcnn_options;

/* The defaults above, with what the model's files recommend. `model` may be NULL. */
QMTCNN_API void qmtcnn_options_default(const qmtcnn_model *model, qmtcnn_options *options);

typedef enum qmtcnn_format {
    QMTCNN_RGB = 0,  /* 3 bytes a pixel */
    QMTCNN_BGR = 1,  /* 3 bytes a pixel, OpenCV's order */
    QMTCNN_GRAY = 2, /* 1 byte a pixel */
    QMTCNN_RGBA = 3, /* 4 bytes a pixel; alpha is ignored */
    QMTCNN_BGRA = 4, /* 4 bytes a pixel; alpha is ignored */
    QMTCNN_NV12 = 5  /* 1 byte of Y a pixel, then interleaved U and V at half resolution; BT.601, limited range */
} qmtcnn_format;

/* A picture that the caller owns; it is only read. Rows may be padded. */
typedef struct qmtcnn_image {
    const uint8_t *pixels; /* the first byte of the top row, which is the last in memory where stride is negative */
    int width, height;     /* pixels, 1 to 65,535 each, at most 2^28 pixels in all */
    ptrdiff_t stride;      /* bytes from one row to the next; negative for bottom-up pictures */
    qmtcnn_format format;
    const uint8_t *chroma;   /* NV12: the UV plane's top row; NULL elsewhere, or to find it right after the Y plane */
    ptrdiff_t chroma_stride; /* NV12: bytes a row of the UV plane; 0: as `stride` */
} qmtcnn_image;

/* A face. Pixels of the given picture; (0, 0) is the upper left corner of its first pixel. */
typedef struct qmtcnn_face {
    float x, y, width, height;
    float score;           /* 0 to 1 */
    float landmarks[5][2]; /* x, y of left eye, right eye, nose, left and right mouth corner, as seen in the picture */
} qmtcnn_face;

/* Scratch memory and threads to detect with. Belongs to one thread at a time. */
typedef struct qmtcnn_context qmtcnn_context;

/* `options` may be NULL for the defaults. The model must outlive the context. */
QMTCNN_API qmtcnn_status qmtcnn_context_create(const qmtcnn_model *model, const qmtcnn_options *options,
                                               qmtcnn_context **context, qmtcnn_error *error);
QMTCNN_API void qmtcnn_context_free(qmtcnn_context *context);

/* Finds the faces of a picture, best first. *faces belongs to the context and holds until its next call.
 * Memory is taken only when a picture is larger, or has more candidates, than every one before it.
 * On failure *faces is NULL and *count 0, and the context can be used again. */
QMTCNN_API qmtcnn_status qmtcnn_detect(qmtcnn_context *context, const qmtcnn_image *image, const qmtcnn_face **faces,
                                       size_t *count, qmtcnn_error *error);

/* Bytes of scratch memory that the context holds now. */
QMTCNN_API size_t qmtcnn_context_bytes(const qmtcnn_context *context);

/* What the last qmtcnn_detect() spent, in milliseconds, and how many boxes passed each stage. */
typedef struct qmtcnn_timing {
    double resize_ms, pnet_ms, crop_ms, rnet_ms, onet_ms, nms_ms, total_ms;
    int levels, proposals, refined, faces;
} qmtcnn_timing;
QMTCNN_API void qmtcnn_context_timing(const qmtcnn_context *context, qmtcnn_timing *timing);

/* ---- Self-test ------------------------------------------------------------------------------- */

/* Proves, in well under a second, that this processor computes the integers that the library promises: built-in
 * networks run on a built-in picture, and a hash of every layer is compared. `models` (NULL: none) is a folder as for
 * qmtcnn_model_open() whose networks are then compared, layer by layer, with plain C kernels. `kernels` names the
 * kernels to test, such as "c"; NULL: those that detection uses here. QMTCNN_ERROR_NUMERIC with a message that names
 * the first layer that differs; QMTCNN_ERROR_UNSUPPORTED for kernels that can't run here. Thread-safe. */
QMTCNN_API qmtcnn_status qmtcnn_selftest(const char *models, const char *kernels, qmtcnn_error *error);

#ifdef __cplusplus
}
#endif
#endif
