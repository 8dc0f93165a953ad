#include "toolkit/config/schema.h"

#include <limits.h>
#include <string.h>

/* Only the preprocessor can name a member. */
#define AT(member) offsetof(qmt_config, member), 0
#define EACH(section, member) offsetof(qmt_config, section[0].member), sizeof(((qmt_config *)0)->section[0])

/* clang-format off */
static const qmt_setting settings[] = {
    {"run", "workdir", QMT_SETTING_TEXT, AT(run.workdir), qmt_path_size, 0, 0, NULL, "runs/qmtcnn", "folder for everything that `run` makes", 0},
    {"run", "seed", QMT_SETTING_UINT64, AT(run.seed), 1, 0, 0, NULL, "1", "equal seeds give equal bytes, for any number of threads", 0},
    {"run", "threads", QMT_SETTING_INT, AT(run.threads), 1, 0, 256, NULL, "0", "0: one per processor", 0},

    {"data", "dir", QMT_SETTING_TEXT, AT(data.dir), qmt_path_size, 0, 0, NULL, "", "data set in WIDER FACE's layout; empty: synthetic faces (synth.images)", 0},
    {"data", "limit", QMT_SETTING_INT, AT(data.limit), 1, 0, INT_MAX, NULL, "0", "first pictures of each split; 0: all", 0},
    {"data", "landmarks", QMT_SETTING_TEXTS, AT(data.landmarks), qmt_path_size, 0, 0, NULL, "", "further landmark lists (own form, CelebA, LFW/net)", offsetof(qmt_config, data.landmark_lists)},
    {"data", "min_face", QMT_SETTING_INT, AT(data.min_face), 1, 0, 10000, NULL, "10", "faces with a smaller side are ignored, neither face nor background; pixels", 0},
    {"data", "leave_out", QMT_SETTING_TEXTS, AT(data.leave_out), sizeof(((qmt_data_config *)0)->leave_out[0]), 0, 0, NULL, "", "folders of pictures (events, sources) that training goes without and that alone are validated on", offsetof(qmt_config, data.leave_outs)},

    {"synth", "images", QMT_SETTING_INT, AT(synth.images), 1, 0, 10000000, NULL, "0", "synthetic pictures to train on", 0},
    {"synth", "val_images", QMT_SETTING_INT, AT(synth.val_images), 1, 0, 10000000, NULL, "0", "synthetic pictures to validate on", 0},
    {"synth", "width", QMT_SETTING_INT, AT(synth.width), 1, 64, 8192, NULL, "640", "width of a synthetic picture, pixels", 0},
    {"synth", "height", QMT_SETTING_INT, AT(synth.height), 1, 64, 8192, NULL, "480", "height of a synthetic picture, pixels", 0},
    {"synth", "max_faces", QMT_SETTING_INT, AT(synth.max_faces), 1, 0, 64, NULL, "6", "most faces in a synthetic picture", 0},
    {"synth", "min_face", QMT_SETTING_INT, AT(synth.min_face), 1, 8, 4096, NULL, "20", "smallest side of a synthetic face, pixels", 0},
    {"synth", "max_face", QMT_SETTING_INT, AT(synth.max_face), 1, 8, 4096, NULL, "240", "largest side of a synthetic face, pixels", 0},

    {"prepare", "negatives_per_picture", QMT_SETTING_INT, EACH(prepare, negatives_per_picture), 1, 0, 10000, NULL, "50", "random background crops a picture", 0},
    {"prepare", "negatives_per_face", QMT_SETTING_INT, EACH(prepare, negatives_per_face), 1, 0, 1000, NULL, "5", "background crops that overlap a face, a face", 0},
    {"prepare", "tries_per_face", QMT_SETTING_INT, EACH(prepare, tries_per_face), 1, 0, 1000, NULL, "20", "tries to crop positives and parts, a face", 0},
    {"prepare", "landmarks_per_face", QMT_SETTING_INT, EACH(prepare, landmarks_per_face), 1, 0, 1000, NULL, "10", "crops of a face with landmarks", 0},
    {"prepare", "min_face", QMT_SETTING_INT, EACH(prepare, min_face), 1, 1, 10000, NULL, "20", "smallest face that makes samples, pixels", 0},
    {"prepare", "shrunk_copies", QMT_SETTING_INT, EACH(prepare, shrunk_copies), 1, 0, 16, NULL, "0", "copies of each picture, made smaller, that give samples too", 0},
    {"prepare", "shrink_least", QMT_SETTING_FLOAT, EACH(prepare, shrink_least), 1, 0.05, 1, NULL, "0.3", "they are shrunk to between this and 1, uniform in the logarithm", 0},
    {"prepare", "negative_iou", QMT_SETTING_FLOAT, EACH(prepare, negative_iou), 1, 0, 1, NULL, "0.3", "a negative overlaps every face by less", 0},
    {"prepare", "part_iou", QMT_SETTING_FLOAT, EACH(prepare, part_iou), 1, 0, 1, NULL, "0.4", "a part overlaps a face by at least this", 0},
    {"prepare", "positive_iou", QMT_SETTING_FLOAT, EACH(prepare, positive_iou), 1, 0, 1, NULL, "0.65", "a positive overlaps a face by at least this", 0},
    {"prepare", "mine", QMT_SETTING_BOOL, EACH(prepare, mine), 1, 0, 0, NULL, "false|true|true", "run the networks before this one on the pictures for hard samples", 0},
    {"prepare", "mine_precision", QMT_SETTING_TEXT, EACH(prepare, mine_precision), sizeof(((qmt_prepare_config *)0)->mine_precision), 0, 0, "int8|fp32", "fp32", "arithmetic to mine with", 0},
    {"prepare", "mine_thresholds", QMT_SETTING_FLOATS, EACH(prepare, mine_thresholds), 2, 0, 1, NULL, "0.4, 0.3", "scores to pass P-Net and R-Net when mining", 0},
    {"prepare", "mine_min_face", QMT_SETTING_INT, EACH(prepare, mine_min_face), 1, 12, 10000, NULL, "20", "smallest face to look for when mining, pixels", 0},
    {"prepare", "mine_negatives", QMT_SETTING_INT, EACH(prepare, mine_negatives), 1, 0, 10000, NULL, "30", "most mined negatives a picture", 0},
    {"prepare", "mine_positives", QMT_SETTING_INT, EACH(prepare, mine_positives), 1, 0, 10000, NULL, "20", "most mined positives a picture", 0},
    {"prepare", "mine_parts", QMT_SETTING_INT, EACH(prepare, mine_parts), 1, 0, 10000, NULL, "20", "most mined parts a picture", 0},
    {"prepare", "max_negatives", QMT_SETTING_INT, EACH(prepare, max_negatives), 1, 0, INT_MAX, NULL, "0", "negatives in all, drawn at random; 0: no limit", 0},
    {"prepare", "max_positives", QMT_SETTING_INT, EACH(prepare, max_positives), 1, 0, INT_MAX, NULL, "0", "positives in all; 0: no limit", 0},
    {"prepare", "max_parts", QMT_SETTING_INT, EACH(prepare, max_parts), 1, 0, INT_MAX, NULL, "0", "parts in all; 0: no limit", 0},
    {"prepare", "max_landmarks", QMT_SETTING_INT, EACH(prepare, max_landmarks), 1, 0, INT_MAX, NULL, "0", "landmark samples in all; 0: no limit", 0},
    {"prepare", "recall_target", QMT_SETTING_FLOAT, EACH(prepare, recall_target), 1, 0, 1, NULL, "0|0.97|0.955", "warn where the network before keeps a smaller share of the labeled faces", 0},
    {"prepare", "shard_samples", QMT_SETTING_INT, EACH(prepare, shard_samples), 1, 16, 1000000, NULL, "8192", "samples a shard file", 0},

    {"augment", "mirror", QMT_SETTING_FLOAT, AT(augment.mirror), 1, 0, 1, NULL, "0.5", "chance to mirror; left and right landmarks change places", 0},
    {"augment", "color", QMT_SETTING_FLOAT, AT(augment.color), 1, 0, 1, NULL, "0.5", "chance to change brightness, contrast and saturation", 0},
    {"augment", "color_strength", QMT_SETTING_FLOAT, AT(augment.color_strength), 1, 0, 1, NULL, "0.3", "by up to this share", 0},
    {"augment", "gamma", QMT_SETTING_FLOAT, AT(augment.gamma), 1, 0, 1, NULL, "0.2", "chance of a gamma curve", 0},
    {"augment", "gamma_strength", QMT_SETTING_FLOAT, AT(augment.gamma_strength), 1, 0, 4, NULL, "0.4", "exponent from 1/(1+s) to 1+s", 0},
    {"augment", "gray", QMT_SETTING_FLOAT, AT(augment.gray), 1, 0, 1, NULL, "0.05", "chance to drop all color", 0},
    {"augment", "blur", QMT_SETTING_FLOAT, AT(augment.blur), 1, 0, 1, NULL, "0.1", "chance to blur", 0},
    {"augment", "blur_strength", QMT_SETTING_FLOAT, AT(augment.blur_strength), 1, 0, 8, NULL, "1.0", "largest sigma, pixels of a 48-pixel crop", 0},
    {"augment", "jpeg", QMT_SETTING_FLOAT, AT(augment.jpeg), 1, 0, 1, NULL, "0.1", "chance of JPEG artifacts, quality 30 to 90", 0},
    {"augment", "rotate", QMT_SETTING_FLOAT, AT(augment.rotate), 1, 0, 1, NULL, "0.0", "chance to rotate about the center; box and landmarks follow", 0},
    {"augment", "rotate_degrees", QMT_SETTING_FLOAT, AT(augment.rotate_degrees), 1, 0, 45, NULL, "10", "largest angle", 0},
    {"augment", "noise", QMT_SETTING_FLOAT, AT(augment.noise), 1, 0, 1, NULL, "0.1", "chance of noise", 0},
    {"augment", "noise_strength", QMT_SETTING_FLOAT, AT(augment.noise_strength), 1, 0, 255, NULL, "8", "its standard deviation, of 255", 0},
    {"augment", "occlude", QMT_SETTING_FLOAT, AT(augment.occlude), 1, 0, 1, NULL, "0.05", "chance to cover a patch", 0},
    {"augment", "occlude_strength", QMT_SETTING_FLOAT, AT(augment.occlude_strength), 1, 0, 1, NULL, "0.4", "largest side of the patch over the crop's", 0},

    {"train", "epochs", QMT_SETTING_INT, EACH(train, epochs), 1, 1, 100000, NULL, "10", "epochs in all, FP32 and QAT", 0},
    {"train", "steps_per_epoch", QMT_SETTING_INT, EACH(train, steps_per_epoch), 1, 0, INT_MAX, NULL, "0", "batches an epoch; 0: about one pass over the samples", 0},
    {"train", "batch", QMT_SETTING_INT, EACH(train, batch), 1, 16, 65536, NULL, "512|512|256", "samples a step, a multiple of 16", 0},
    {"train", "ratio", QMT_SETTING_FLOATS, EACH(train, ratio), 4, 0, 1000, NULL, "3, 1, 1, 2", "negative, positive, part and landmark samples in a batch", 0},
    {"train", "optimizer", QMT_SETTING_CHOICE, EACH(train, optimizer), 1, QMT_SGD, 0, "sgd|adam", "adam", "how gradients move weights", 0},
    {"train", "learning_rate", QMT_SETTING_FLOAT, EACH(train, learning_rate), 1, 0, 10, NULL, "0.002", "largest learning rate", 0},
    {"train", "momentum", QMT_SETTING_FLOAT, EACH(train, momentum), 1, 0, 0.9999, NULL, "0.9", "of SGD", 0},
    {"train", "beta1", QMT_SETTING_FLOAT, EACH(train, beta1), 1, 0, 0.9999, NULL, "0.9", "of Adam: decay of the mean", 0},
    {"train", "beta2", QMT_SETTING_FLOAT, EACH(train, beta2), 1, 0, 0.999999, NULL, "0.999", "of Adam: decay of the mean square", 0},
    {"train", "weight_decay", QMT_SETTING_FLOAT, EACH(train, weight_decay), 1, 0, 1, NULL, "0.0001", "decoupled for Adam", 0},
    {"train", "gradient_clip", QMT_SETTING_FLOAT, EACH(train, gradient_clip), 1, 0, 1e6, NULL, "5", "largest norm of all gradients; 0: no limit", 0},
    {"train", "schedule", QMT_SETTING_CHOICE, EACH(train, schedule), 1, QMT_SCHEDULE_CONSTANT, 0, "constant|step|cosine", "cosine", "how the learning rate falls", 0},
    {"train", "warmup_steps", QMT_SETTING_INT, EACH(train, warmup_steps), 1, 0, INT_MAX, NULL, "100", "steps in which the learning rate rises from 0", 0},
    {"train", "step_epochs", QMT_SETTING_INT, EACH(train, step_epochs), 1, 1, 100000, NULL, "3", "step schedule: every so many epochs ...", 0},
    {"train", "step_factor", QMT_SETTING_FLOAT, EACH(train, step_factor), 1, 0, 1, NULL, "0.1", "... times this", 0},
    {"train", "class_loss", QMT_SETTING_CHOICE, EACH(train, class_loss), 1, QMT_CLASS_PLAIN, 0, "plain|ohem|focal", "ohem", "face or not: all samples, the hardest (OHEM), or focal loss", 0},
    {"train", "ohem_keep", QMT_SETTING_FLOAT, EACH(train, ohem_keep), 1, 0.01, 1, NULL, "0.7", "share of samples that OHEM keeps", 0},
    {"train", "focal_gamma", QMT_SETTING_FLOAT, EACH(train, focal_gamma), 1, 0, 10, NULL, "2", "focal loss: exponent", 0},
    {"train", "focal_alpha", QMT_SETTING_FLOAT, EACH(train, focal_alpha), 1, 0, 1, NULL, "0.25", "focal loss: weight of faces", 0},
    {"train", "label_smoothing", QMT_SETTING_FLOAT, EACH(train, label_smoothing), 1, 0, 0.5, NULL, "0", "plain, ohem: share of the target that goes to both classes alike", 0},
    {"train", "box_loss", QMT_SETTING_CHOICE, EACH(train, box_loss), 1, QMT_LOSS_MSE, 0, "mse|smooth_l1|wing|giou", "smooth_l1", "loss of box offsets; giou: of the box as a whole, by its overlap", 0},
    {"train", "landmark_loss", QMT_SETTING_CHOICE, EACH(train, landmark_loss), 1, QMT_LOSS_MSE, 0, "mse|smooth_l1|wing", "mse", "loss of landmarks", 0},
    {"train", "class_weight", QMT_SETTING_FLOAT, EACH(train, class_weight), 1, 0, 1000, NULL, "1", "weight of the class loss", 0},
    {"train", "box_weight", QMT_SETTING_FLOAT, EACH(train, box_weight), 1, 0, 1000, NULL, "0.5", "weight of the box loss", 0},
    {"train", "landmark_weight", QMT_SETTING_FLOAT, EACH(train, landmark_weight), 1, 0, 1000, NULL, "0.5|0.5|1", "weight of the landmark loss", 0},
    {"train", "holdout", QMT_SETTING_FLOAT, EACH(train, holdout), 1, 0, 0.9, NULL, "0.05", "share of pictures whose samples only validate", 0},
    {"train", "keep_checkpoints", QMT_SETTING_INT, EACH(train, keep_checkpoints), 1, 1, 1000, NULL, "3", "newest checkpoints that stay", 0},
    {"train", "checkpoint_seconds", QMT_SETTING_INT, EACH(train, checkpoint_seconds), 1, 1, 86400, NULL, "120", "longest time between checkpoints", 0},
    {"train", "log_steps", QMT_SETTING_INT, EACH(train, log_steps), 1, 1, INT_MAX, NULL, "50", "steps between entries in the event files", 0},
    {"train", "divergence_steps", QMT_SETTING_INT, EACH(train, divergence_steps), 1, 1, INT_MAX, NULL, "500", "training stops where the average loss is over 10 times its lowest for so many steps", 0},
    {"train", "activation", QMT_SETTING_CHOICE, EACH(train, activation), 1, QMT_ACTIVATION_RELU, 0, "relu|prelu", "relu", "of every trunk layer", 0},
    {"train", "batch_norm", QMT_SETTING_BOOL, EACH(train, batch_norm), 1, 0, 0, NULL, "true", "batch normalization after the trunk's convolutions", 0},
    {"train", "batch_norm_momentum", QMT_SETTING_FLOAT, EACH(train, batch_norm_momentum), 1, 0, 1, NULL, "0.1", "weight of a batch in the running statistics", 0},

    {"quantize", "qat", QMT_SETTING_BOOL, AT(quantize.qat), 1, 0, 0, NULL, "true", "quantization-aware training; false: FP32, then calibrate only (PTQ)", 0},
    {"quantize", "start_epoch", QMT_SETTING_INT, AT(quantize.start_epoch), 1, -1, 100000, NULL, "-1", "first QAT epoch, counted from 0; -1: after 70 % of the epochs", 0},
    {"quantize", "freeze_observers_epoch", QMT_SETTING_INT, AT(quantize.freeze_observers_epoch), 1, -1, 100000, NULL, "-1", "from here on scales stay; -1: after 85 %", 0},
    {"quantize", "freeze_batch_norm_epoch", QMT_SETTING_INT, AT(quantize.freeze_batch_norm_epoch), 1, -1, 100000, NULL, "-1", "from here on running statistics stay; -1: after 85 %", 0},
    {"quantize", "learning_rate_factor", QMT_SETTING_FLOAT, AT(quantize.learning_rate_factor), 1, 0, 10, NULL, "0.1", "QAT starts at learning_rate times this", 0},
    {"quantize", "calibration_batches", QMT_SETTING_INT, AT(quantize.calibration_batches), 1, 1, 100000, NULL, "64", "batches that set the first scales", 0},
    {"quantize", "activation_observer", QMT_SETTING_CHOICE, AT(quantize.activation_observer), 1, QMT_OBSERVE_MINMAX, 0, "minmax|average|histogram|mse", "average", "ranges of activations in QAT", 0},
    {"quantize", "calibration_observer", QMT_SETTING_CHOICE, AT(quantize.calibration_observer), 1, QMT_OBSERVE_MINMAX, 0, "minmax|average|histogram|mse|entropy", "mse", "ranges for PTQ and for the start of QAT", 0},
    {"quantize", "percentile", QMT_SETTING_FLOAT, AT(quantize.percentile), 1, 50, 100, NULL, "99.99", "share of values inside the range (histogram), percent", 0},
    {"quantize", "observer_momentum", QMT_SETTING_FLOAT, AT(quantize.observer_momentum), 1, 0, 1, NULL, "0.01", "weight of a batch in the moving average", 0},
    {"quantize", "per_channel", QMT_SETTING_BOOL, AT(quantize.per_channel), 1, 0, 0, NULL, "true", "a weight scale for each output channel", 0},
    {"quantize", "keep_fp32", QMT_SETTING_TEXT, AT(quantize.keep_fp32), sizeof(((qmt_quantize_config *)0)->keep_fp32), 0, 0, NULL, "", "layers that stay FP32, comma-separated: \"pnet/conv1\"", 0},
    {"quantize", "ptq_samples", QMT_SETTING_INT, AT(quantize.ptq_samples), 1, 16, 65536, NULL, "1024", "PTQ: samples of each network to calibrate on", 0},
    {"quantize", "equalize", QMT_SETTING_BOOL, AT(quantize.equalize), 1, 0, 0, NULL, "false", "PTQ: cross-layer equalization of weights", 0},
    {"quantize", "weight_range", QMT_SETTING_CHOICE, AT(quantize.weight_range), 1, QMT_WEIGHT_MAX, 0, "max|mse", "max", "PTQ: ranges of weights: the largest (always so without per_channel), or that of least squared error", 0},
    {"quantize", "rounding", QMT_SETTING_CHOICE, AT(quantize.rounding), 1, QMT_ROUND_NEAREST, 0, "nearest|adaptive", "adaptive", "PTQ: weights to the nearest step, or to what changes the layer's output least", 0},
    {"quantize", "bias_correction", QMT_SETTING_BOOL, AT(quantize.bias_correction), 1, 0, 0, NULL, "true", "PTQ: biases take up the mean error of their channel", 0},

    {"calibrate", "scores", QMT_SETTING_BOOL, AT(calibrate.scores), 1, 0, 0, NULL, "false", "make detect.thresholds good ones: scores calibrated on the hold-out of the training pictures", 0},
    {"calibrate", "keep", QMT_SETTING_FLOATS, AT(calibrate.keep), 2, 0.5, 1, NULL, "0.95, 0.97", "shares of the faces found that pass P-Net's and R-Net's threshold", 0},
    {"calibrate", "keep_low", QMT_SETTING_FLOATS, AT(calibrate.keep_low), 2, 0, 1, NULL, "0.998, 0.99", "shares that pass the thresholds for the whole curve (evaluate.thresholds), more than keep; 0: as it comes", 0},
    {"calibrate", "false_alarms", QMT_SETTING_FLOAT, AT(calibrate.false_alarms), 1, 0.001, 100, NULL, "0.3", "false alarms a picture at O-Net's threshold", 0},
    {"calibrate", "slope", QMT_SETTING_BOOL, AT(calibrate.slope), 1, 0, 0, NULL, "false", "scale what keep_low does not (O-Net's, too) so that scores come near to chances (Platt)", 0},

    {"export", "opset", QMT_SETTING_INT, AT(export.opset), 1, 13, 17, NULL, "13", "ONNX operator set", 0},
    {"export", "profile", QMT_SETTING_TEXT, AT(export.profile), sizeof(((qmt_export_config *)0)->profile), 0, 0, NULL, "upright", "tensor names: upright (ours), caffe, or a YAML file", 0},
    {"export", "target", QMT_SETTING_TEXT, AT(export.target), sizeof(((qmt_export_config *)0)->target), 0, 0, "tensorrt|onnxruntime", "tensorrt", "whose quantization rules the files follow", 0},
    {"export", "weight_bits", QMT_SETTING_INT, AT(export.weight_bits), 1, 7, 8, NULL, "8", "onnxruntime: 7 keeps its kernels exact on processors without VNNI", 0},
    {"export", "max_batch", QMT_SETTING_INT, AT(export.max_batch), 1, 1, 65536, NULL, "256", "most crops at once in TensorRT's optimization profiles", 0},
    {"export", "max_width", QMT_SETTING_INT, AT(export.max_width), 1, 12, 65535, NULL, "1920", "widest pyramid level in TensorRT's profiles, pixels", 0},
    {"export", "max_height", QMT_SETTING_INT, AT(export.max_height), 1, 12, 65535, NULL, "1080", "highest pyramid level in TensorRT's profiles, pixels", 0},
    {"export", "calibrated", QMT_SETTING_BOOL, AT(export.calibrated), 1, 0, 0, NULL, "true", "with calibrated scores, where checkpoints/scores.json holds them", 0},

    {"detect", "min_face", QMT_SETTING_INT, AT(detect.min_face), 1, 12, 65535, NULL, "20", "smallest face to look for, pixels", 0},
    {"detect", "max_face", QMT_SETTING_INT, AT(detect.max_face), 1, 0, 65535, NULL, "0", "largest; 0: no limit", 0},
    {"detect", "scale_factor", QMT_SETTING_FLOAT, AT(detect.scale_factor), 1, 0.1001, 0.95, NULL, "0.709", "ratio of neighboring pyramid levels", 0},
    {"detect", "thresholds", QMT_SETTING_FLOATS, AT(detect.thresholds), 3, 0, 0.999999, NULL, "0.6, 0.7, 0.7", "scores to pass P-, R- and O-Net", 0},
    {"detect", "nms", QMT_SETTING_FLOATS, AT(detect.nms), 4, 0, 1, NULL, "0.5, 0.7, 0.7, 0.7", "IoU to suppress at: P-Net in a level, over levels, R-Net, O-Net", 0},
    {"detect", "last_nms", QMT_SETTING_TEXT, AT(detect.last_nms), sizeof(((qmt_detect_config *)0)->last_nms), 0, 0, NULL, "", "the last suppression: union:IOU or min:SHARE of the smaller box; empty: as the models say", 0},
    {"detect", "fusion", QMT_SETTING_FLOAT, AT(detect.fusion), 1, -1, 0.75, NULL, "-1", "weight of R-Net's score in the last one: 0, 0.25, 0.5, 0.75; -1: as the models say", 0},
    {"detect", "vote", QMT_SETTING_FLOAT, AT(detect.vote), 1, -1, 1, NULL, "-1", "faces become the mean of all candidates from this IoU on; 0: no; -1: as the models say", 0},
    {"detect", "refined_nms", QMT_SETTING_FLOATS, AT(detect.refined_nms), 2, -1, 1, NULL, "-1, -1", "IoU to suppress boxes at that P-Net, that R-Net corrected: 0 not, 0.5 to 1; -1: as the models say", 0},
    {"detect", "max_proposals", QMT_SETTING_INT, AT(detect.max_proposals), 1, 1, 100000, NULL, "10000", "best P-Net boxes that go to R-Net", 0},

    {"evaluate", "iou", QMT_SETTING_FLOAT, AT(evaluate.iou), 1, 0.05, 1, NULL, "0.5", "a detection finds a face from this overlap on", 0},
    {"evaluate", "min_face", QMT_SETTING_INT, AT(evaluate.min_face), 1, 0, 10000, NULL, "20", "smaller labeled faces count neither way, pixels", 0},
    {"evaluate", "thresholds", QMT_SETTING_FLOATS, AT(evaluate.thresholds), 3, 0, 0.999999, NULL, "0.3, 0.3, 0.1", "scores to pass, low enough for the whole curve", 0},
    {"evaluate", "min_retention", QMT_SETTING_FLOAT, AT(evaluate.min_retention), 1, 0, 1, NULL, "0.95", "validate and run fail where INT8's AP over FP32's is less", 0},
    {"evaluate", "real_data", QMT_SETTING_TEXT, AT(evaluate.real_data), qmt_path_size, 0, 0, NULL, "", "run: a data set of real pictures whose val split the report also tells figures of", 0},
    {"evaluate", "bootstrap", QMT_SETTING_INT, AT(evaluate.bootstrap), 1, 0, 100000, NULL, "1000", "resamplings for intervals; 0: none", 0},
};
/* clang-format on */

const qmt_setting *qmt_settings(size_t *count)
{
    *count = sizeof settings / sizeof settings[0];
    return settings;
}

bool qmt_same_key(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
            return false;
    }
    return *a == *b;
}

const qmt_setting *qmt_find_section(const char *name)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (qmt_same_key(settings[i].section, name))
            return &settings[i];
    }
    return NULL;
}

const qmt_setting *qmt_find_setting(const char *section, const char *name)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (qmt_same_key(settings[i].section, section) && qmt_same_key(settings[i].name, name))
            return &settings[i];
    }
    return NULL;
}

int qmt_find_net(const char *name)
{
    for (int net = 0; net < qmt_net_count; net++) {
        if (strcmp(name, qmt_net_name((qmt_net_id)net)) == 0)
            return net;
    }
    return -1;
}
