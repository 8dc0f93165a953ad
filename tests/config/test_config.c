#include "common/test.h"

#include "toolkit/base/file.h"
#include "toolkit/config/document.h"
#include "toolkit/config/json.h"
#include "toolkit/config/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static qmtcnn_status parse(const char *text, qmt_config *config, qmtcnn_error *error)
{
    qmt_config_default(config);
    error->message[0] = 0;
    return qmt_config_parse(text, strlen(text), "a.yaml", config, error);
}

/* The text must be refused with a message that holds all of `parts`. */
static void refuse(const char *text, const char *part, const char *other)
{
    qmt_config config;
    qmtcnn_error error;
    qmtcnn_status status = parse(text, &config, &error);
    if (status == QMTCNN_OK || !strstr(error.message, part) || !strstr(error.message, other)) {
        print_error("for \"%s\": status %d, message \"%s\", wanted \"%s\" and \"%s\"\n", text, status, error.message,
                    part, other);
        fail();
    }
}

/* The defaults as the struct's comments state them, written down here a second time. */
static void test_defaults(void **state)
{
    (void)state;
    qmt_config c;
    qmtcnn_error error;
    qmt_config_default(&c);
    assert_string_equal(c.run.workdir, "runs/qmtcnn");
    assert_int_equal(c.run.seed, 1);
    assert_int_equal(c.run.threads, 0);
    assert_int_equal(c.data.min_face, 10);
    assert_int_equal(c.data.landmark_lists, 0);
    assert_int_equal(c.synth.width, 640);
    assert_int_equal(c.synth.max_face, 240);
    for (int net = 0; net < qmt_net_count; net++) {
        const qmt_prepare_config *p = &c.prepare[net];
        assert_int_equal(p->negatives_per_picture, 50);
        assert_float_equal(p->positive_iou, 0.65f, 0);
        assert_int_equal(p->mine, net != QMT_PNET);
        assert_string_equal(p->mine_precision, "fp32");
        assert_float_equal(p->mine_thresholds[0], 0.4f, 0);
        assert_float_equal(p->mine_thresholds[1], 0.3f, 0);
        assert_int_equal(p->shard_samples, 8192);
        const qmt_train_config *t = &c.train[net];
        assert_int_equal(t->epochs, 10);
        assert_int_equal(t->batch, net == QMT_ONET ? 256 : 512);
        assert_float_equal(t->ratio[0], 3, 0);
        assert_float_equal(t->ratio[3], 2, 0);
        assert_int_equal(t->optimizer, QMT_ADAM);
        assert_int_equal(t->schedule, QMT_SCHEDULE_COSINE);
        assert_int_equal(t->class_loss, QMT_CLASS_OHEM);
        assert_int_equal(t->box_loss, QMT_LOSS_SMOOTH_L1);
        assert_int_equal(t->landmark_loss, QMT_LOSS_MSE);
        assert_float_equal(t->landmark_weight, net == QMT_ONET ? 1.0f : 0.5f, 0);
        assert_int_equal(t->activation, QMT_ACTIVATION_RELU);
        assert_true(t->batch_norm);
        assert_float_equal(t->beta2, 0.999f, 0);
    }
    assert_float_equal(c.prepare[QMT_RNET].recall_target, 0.97f, 0);
    assert_float_equal(c.prepare[QMT_ONET].recall_target, 0.955f, 0);
    assert_float_equal(c.augment.occlude_strength, 0.4f, 0);
    assert_true(c.quantize.qat);
    assert_int_equal(c.quantize.activation_observer, QMT_OBSERVE_AVERAGE);
    assert_int_equal(c.quantize.calibration_observer, QMT_OBSERVE_MSE);
    assert_float_equal(c.quantize.percentile, 99.99f, 0);
    assert_int_equal(c.export.opset, 13);
    assert_string_equal(c.export.profile, "upright");
    assert_string_equal(c.export.target, "tensorrt");
    assert_int_equal(c.export.max_height, 1080);
    assert_float_equal(c.detect.thresholds[1], 0.7f, 0);
    assert_float_equal(c.detect.nms[0], 0.5f, 0);
    assert_int_equal(c.evaluate.bootstrap, 1000);
    assert_ok(qmt_config_check(&c, &error), &error);
}

/* Every default in the table is itself valid, and no two settings share memory or a key. */
static void test_table(void **state)
{
    (void)state;
    size_t count;
    const qmt_setting *settings = qmt_settings(&count);
    for (size_t i = 0; i < count; i++) {
        char key[128];
        qmt_config config;
        qmtcnn_error error;
        qmt_text text = {0};
        qmt_config_default(&config);
        snprintf(key, sizeof key, "%s.%s", settings[i].section, settings[i].name);
        assert_true(qmt_config_has(key));
        qmt_setting_print(&settings[i], &config, 0, &text);
        char *value = qmt_text_take(&text);
        if (settings[i].type == QMT_SETTING_TEXT) { /* printed in quotation marks */
            value[strlen(value) - 1] = 0;
            assert_ok(qmt_config_set(&config, key, value + 1, &error), &error);
        } else {
            assert_ok(qmt_config_set(&config, key, value, &error), &error);
        }
        if (settings[i].type != QMT_SETTING_TEXT && settings[i].type != QMT_SETTING_TEXTS)
            assert_true(strlen(value) > 0 && strcmp(value, "[]") != 0);
        qmt_free(value);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(settings[i].offset, settings[j].offset);
            assert_false(strcmp(settings[i].section, settings[j].section) == 0 &&
                         strcmp(settings[i].name, settings[j].name) == 0);
        }
    }
}

/* The JSON holds every setting under the same keys, and values that JSON can't hold as strings. */
static void test_json(void **state)
{
    (void)state;
    qmt_config c;
    qmtcnn_error error;
    size_t count, found = 0;
    const qmt_setting *settings = qmt_settings(&count);
    assert_ok(parse("run: {seed: 18446744073709551615, workdir: 'a \"b\"'}\ntrain: {epochs: 7, onet: {epochs: 9}}\n"
                    "evaluate: {thresholds: [0.25, 0.5, 0.125]}\n",
                    &c, &error),
              &error);
    json_t *json = qmt_config_json(&c);
    for (size_t i = 0; i < count; i++) {
        const json_t *section = json_object_get(json, settings[i].section);
        const json_t *own = json_object_get(json_object_get(section, "rnet"), settings[i].name);
        found += json_object_get(section, settings[i].name) != NULL || own != NULL;
    }
    assert_int_equal(found, count);
    const json_t *run = json_object_get(json, "run"), *train = json_object_get(json, "train");
    assert_string_equal(json_string_value(json_object_get(run, "seed")), "18446744073709551615");
    assert_string_equal(json_string_value(json_object_get(run, "workdir")), "a \"b\"");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(train, "onet"), "epochs")), 9);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(train, "pnet"), "epochs")), 7);
    assert_null(json_object_get(train, "epochs"));
    assert_string_equal(json_string_value(json_object_get(train, "optimizer")), "adam");
    assert_true(json_is_true(json_object_get(train, "batch_norm")));
    const json_t *thresholds = json_object_get(json_object_get(json, "evaluate"), "thresholds");
    assert_int_equal(json_array_size(thresholds), 3);
    assert_true(json_number_value(json_array_get(thresholds, 2)) == 0.125);
    json_decref(json);
}

/* Beside a result, and into a folder: both read back to the same settings (threads aside). */
static void test_written(void **state)
{
    (void)state;
    qmt_config c, back;
    qmtcnn_error error;
    char *folder = test_make_folder(), *result = qmt_path_join(folder, "result.json");
    char *beside = qmt_path_join(folder, "result.json.config.yaml"), *inside = qmt_path_join(folder, "config.yaml");
    qmt_config_default(&c);
    c.run.threads = 3;
    c.train[QMT_RNET].epochs = 21;
    assert_ok(qmt_config_write_beside(&c, result, &error), &error);
    assert_ok(qmt_config_write_into(&c, folder, &error), &error);
    qmt_config_default(&back);
    assert_ok(qmt_config_read(beside, &back, &error), &error);
    assert_int_equal(back.run.threads, 3);
    assert_int_equal(back.train[QMT_RNET].epochs, 21);
    assert_ok(qmt_config_read(inside, &back, &error), &error);
    assert_int_equal(back.run.threads, 0);
    qmt_free(inside);
    qmt_free(beside);
    qmt_free(result);
    test_remove_folder(folder);
}

static void test_values(void **state)
{
    (void)state;
    qmt_config c;
    qmtcnn_error error;
    assert_ok(parse("# all forms\n"
                    "train: {pnet: {epochs: 5, batch: 64}, epochs: 20, ratio: [1, 2, 3.5, 0]}\n"
                    "prepare:\n  mine: yes\n  onet:\n    mine-negatives: 7\n"
                    "run: {seed: 18446744073709551615, workdir: \"a \\\"b\\\" \\u00e9\"}\n"
                    "data: {landmarks: ['x, y.txt', z.txt]}\n"
                    "quantize: {qat: off, activation_observer: minmax}\n"
                    "synth:\n"
                    "augment: {rotate: 1e-3}\n",
                    &c, &error),
              &error);
    assert_int_equal(c.train[QMT_PNET].epochs, 5);
    assert_int_equal(c.train[QMT_RNET].epochs, 20);
    assert_int_equal(c.train[QMT_PNET].batch, 64);
    assert_int_equal(c.train[QMT_ONET].batch, 256);
    assert_float_equal(c.train[QMT_ONET].ratio[2], 3.5f, 0);
    assert_true(c.prepare[QMT_PNET].mine);
    assert_int_equal(c.prepare[QMT_ONET].mine_negatives, 7);
    assert_int_equal(c.prepare[QMT_RNET].mine_negatives, 30);
    assert_true(c.run.seed == UINT64_MAX);
    assert_string_equal(c.run.workdir, "a \"b\" \xC3\xA9");
    assert_int_equal(c.data.landmark_lists, 2);
    assert_string_equal(c.data.landmarks[0], "x, y.txt");
    assert_false(c.quantize.qat);
    assert_int_equal(c.quantize.activation_observer, QMT_OBSERVE_MINMAX);
    assert_float_equal(c.augment.rotate, 0.001f, 0);
    assert_ok(parse("", &c, &error), &error);
    assert_ok(parse("# nothing\n", &c, &error), &error);
}

static void test_wrong_yaml(void **state)
{
    (void)state;
    refuse("run: {seed: 1}\ntrian: {epochs: 1}\n", "a.yaml:2:1: ", "unknown key 'trian'; did you mean 'train'?");
    refuse("train:\n  epohcs: 1\n", "a.yaml:2:3: ", "unknown key 'train.epohcs'; did you mean 'train.epochs'?");
    refuse("train:\n  pnet: {bacth: 16}\n", "a.yaml:2:10: ", "did you mean 'train.pnet.batch'?");
    refuse("learning_rate: 1\n", "a.yaml:1:1: ", "did you mean 'train.learning_rate'?");
    refuse("quantize: {pnet: {qat: true}}\n", "a.yaml:1:12: ", "unknown key 'quantize.pnet'");
    refuse("xyzzyxyzzy: 1\n", "a.yaml:1:1: ", "--help-config");
    refuse("train:\n  epochs: ten\n", "a.yaml:2:11: ", "expected integer, 1 to 100000; got 'ten'");
    refuse("train: {epochs: 1.5}\n", "a.yaml:1:17: ", "integer");
    refuse("train: {epochs: \"10\"}\n", "a.yaml:1:17: ", "quotation");
    refuse("train: {epochs: 0}\n", "a.yaml:1:17: ", "1 to 100000");
    refuse("train: {epochs: 0x10}\n", "a.yaml:1:17: ", "integer");
    refuse("train: {epochs: 99999999999999999999}\n", "a.yaml:1:17: ", "integer");
    refuse("train: {learning_rate: .nan}\n", "a.yaml:1:24: ", "number, 0 to 10");
    refuse("train: {learning_rate: .inf}\n", "a.yaml:1:24: ", "number");
    refuse("train: {learning_rate: 1e}\n", "a.yaml:1:24: ", "number");
    refuse("train: {learning_rate: -0.1}\n", "a.yaml:1:24: ", "number");
    refuse("run: {seed: -1}\n", "a.yaml:1:13: ", "integer");
    refuse("run: {seed: 18446744073709551616}\n", "a.yaml:1:13: ", "integer");
    refuse("train: {ratio: [1, 2, 3]}\n", "a.yaml:1:16: ", "4 numbers");
    refuse("train: {ratio: 3}\n", "a.yaml:1:16: ", "list");
    refuse("train: {ratio: [[1], 1, 1, 1]}\n", "a.yaml:1:17: ", "item");
    refuse("train: {epochs: [1]}\n", "a.yaml:1:17: ", "one value, not a list");
    refuse("train: {epochs: {a: 1}}\n", "a.yaml:1:17: ", "one value, not a mapping");
    refuse("train: {epochs: }\n", "a.yaml:1:", "no value");
    refuse("train: 3\n", "a.yaml:1:8: ", "takes a mapping, not a value");
    refuse("train: {pnet: 3}\n", "a.yaml:1:15: ", "takes a mapping");
    refuse("train: {optimizer: adm}\n", "a.yaml:1:20: ", "sgd|adam");
    refuse("prepare: {mine_precision: fp16}\n", "a.yaml:1:27: ", "int8|fp32");
    refuse("quantize: {qat: maybe}\n", "a.yaml:1:17: ", "true or false");
    refuse("train: {epochs: 1, epochs: 2}\n", "a.yaml:1:20: ", "second time; first in line 1");
    refuse("train: {warmup_steps: 1, warmup-steps: 2}\n", "a.yaml:1:26: ", "second time");
    refuse("run: {seed: 1}\ntrain: {epochs: 1}\nrun: {seed: 2}\n", "a.yaml:3:1: ", "first in line 1");
    refuse("train: {pnet: {epochs: 1}, pnet: {epochs: 2}}\n", "a.yaml:1:28: ", "second time");
    refuse("- 1\n", "a.yaml:1:1: ", "mapping of sections");
    refuse("? [a]\n: 1\n", "a.yaml:1:3: ", "key must be a text");
}

static void test_hostile_yaml(void **state)
{
    (void)state;
    refuse("a: &x [1]\nb: *x\n", "a.yaml:1:4: ", "anchors");
    refuse("b: *x\n", "a.yaml:1:4: ", "aliases");
    refuse("run: !!python/object:os.system {}\n", "a.yaml:1:6: ", "tags");
    refuse("run: {seed: 1}\n---\nrun: {seed: 2}\n", "a.yaml:2:1: ", "second document");
    refuse("run: {seed: 1\n", "a.yaml:", "");
    refuse("run: {workdir: \"a\\0b\"}\n", "a.yaml:1:16: ", "zero byte");
    refuse("run: {workdir: \"\xFF\xFE\"}\n", "a.yaml", "");
    refuse("run:\n\t seed: 1\n", "a.yaml:2:", "");
    size_t size = qmt_yaml_limit;
    qmt_config config;
    qmtcnn_error error;
    static const char *const fill[] = {"[", "{", "? ", "- ", "a: ", "\"", "{a: ", "[a, ", "a\n", "#", "!", "|\n", "%"};
    char *text = malloc(size + 1);
    qmt_config_default(&config);
    for (size_t f = 0; f < sizeof fill / sizeof fill[0]; f++) {
        size_t step = strlen(fill[f]);
        for (size_t i = 0; i < size; i++)
            text[i] = fill[f][i % step];
        qmtcnn_status status = qmt_config_parse(text, size, "a.yaml", &config, &error);
        assert_true(status != QMTCNN_OK || strcmp(fill[f], "#") == 0);
    }
    assert_int_equal(qmt_config_parse(text, size + 1, "a.yaml", &config, &error), QMTCNN_ERROR_FORMAT);
    free(text);
}

/* Truncated at every byte, and with every byte changed: an error or a sound configuration, never a crash. */
static void test_mutations(void **state)
{
    (void)state;
    static const char good[] =
        "train: {epochs: 10, ratio: [3, 1, 1, 2], pnet: {batch: 64}}\nrun:\n  workdir: \"a\\n\"\n";
    qmt_config config;
    qmtcnn_error error;
    char text[sizeof good];
    size_t accepted = 0;
    qmt_config_default(&config);
    for (size_t i = 0; i < sizeof good - 1; i++) {
        qmt_config_parse(good, i, "a.yaml", &config, &error);
        for (int change = 1; change < 256; change += 7) {
            memcpy(text, good, sizeof good);
            text[i] = (char)(text[i] ^ change);
            if (qmt_config_parse(text, sizeof good - 1, "a.yaml", &config, &error) == QMTCNN_OK)
                accepted++;
        }
    }
    assert_true(accepted > 0);
}

static void test_failure_changes_nothing(void **state)
{
    (void)state;
    qmt_config config, before;
    qmtcnn_error error;
    static const char text[] = "train: {epochs: 3}\nrun: {seed: x}\n";
    qmt_config_default(&config);
    before = config;
    assert_int_not_equal(qmt_config_parse(text, sizeof text - 1, "a.yaml", &config, &error), QMTCNN_OK);
    assert_memory_equal(&config, &before, sizeof config);
}

static void test_set(void **state)
{
    (void)state;
    qmt_config c;
    qmtcnn_error error;
    qmt_config_default(&c);
    assert_ok(qmt_config_set(&c, "train.epochs", "7", &error), &error);
    assert_ok(qmt_config_set(&c, "train.rnet.batch", "32", &error), &error);
    assert_ok(qmt_config_set(&c, "train.learning-rate", "0.5", &error), &error);
    assert_ok(qmt_config_set(&c, "train.ratio", "4, 1,1 ,3", &error), &error);
    assert_ok(qmt_config_set(&c, "detect.thresholds", "[0.1, 0.2, 0.3]", &error), &error);
    assert_ok(qmt_config_set(&c, "data.landmarks", "a.txt,b.txt", &error), &error);
    assert_int_equal(c.train[QMT_ONET].epochs, 7);
    assert_int_equal(c.train[QMT_RNET].batch, 32);
    assert_int_equal(c.train[QMT_PNET].batch, 512);
    assert_float_equal(c.train[QMT_PNET].learning_rate, 0.5f, 0);
    assert_float_equal(c.train[QMT_PNET].ratio[0], 4, 0);
    assert_float_equal(c.train[QMT_PNET].ratio[3], 3, 0);
    assert_float_equal(c.detect.thresholds[2], 0.3f, 0);
    assert_int_equal(c.data.landmark_lists, 2);
    assert_string_equal(c.data.landmarks[1], "b.txt");
    assert_ok(qmt_config_set(&c, "data.landmarks", "", &error), &error);
    assert_int_equal(c.data.landmark_lists, 0);
    assert_int_not_equal(qmt_config_set(&c, "data.landmarks", "1,2,3,4,5,6,7,8,9", &error), QMTCNN_OK);
    assert_int_not_equal(qmt_config_set(&c, "train.ratio", "1,2,3,4,5", &error), QMTCNN_OK);
    assert_int_not_equal(qmt_config_set(&c, "train.xnet.epochs", "1", &error), QMTCNN_OK);
    assert_int_not_equal(qmt_config_set(&c, "run.pnet.seed", "1", &error), QMTCNN_OK);
    assert_int_not_equal(qmt_config_set(&c, "epochs", "1", &error), QMTCNN_OK);
    assert_non_null(strstr(error.message, "'train.epochs'"));
    char *longest = calloc(1, 200000);
    memset(longest, 'a', 199999);
    assert_int_not_equal(qmt_config_set(&c, longest, "1", &error), QMTCNN_OK);
    assert_int_not_equal(qmt_config_set(&c, "run.workdir", longest, &error), QMTCNN_OK);
    assert_int_not_equal(qmt_config_set(&c, "train.ratio", longest, &error), QMTCNN_OK);
    free(longest);
}

static void test_round_trip(void **state)
{
    (void)state;
    qmt_config config, again;
    qmtcnn_error error;
    qmt_config_default(&config);
    static const char *const changes[][2] = {{"train.pnet.learning_rate", "0.00123456789"},
                                             {"train.epochs", "17"},
                                             {"run.seed", "18446744073709551615"},
                                             {"run.workdir", "a\tb \\ \"c\" # : {x} \xC3\xA9"},
                                             {"data.landmarks", "a.txt,b c.txt"},
                                             {"train.ratio", "0.1,0.2,0.3,1e-7"},
                                             {"prepare.onet.mine", "false"},
                                             {"quantize.keep_fp32", "pnet/conv1"},
                                             {"train.onet.activation", "prelu"},
                                             {"augment.noise_strength", "16777216e-7"},
                                             {"data.dir", "- no: list"}};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        assert_ok(qmt_config_set(&config, changes[i][0], changes[i][1], &error), &error);
    char *text = qmt_config_text(&config);
    assert_non_null(text);
    qmt_config_default(&again);
    assert_ok(qmt_config_parse(text, strlen(text), "a.yaml", &again, &error), &error);
    /* Unused ends of texts may differ; the text of both, and the floats in it bit by bit, may not. */
    char *second = qmt_config_text(&again);
    assert_string_equal(text, second);
    assert_true(again.train[QMT_PNET].learning_rate == config.train[QMT_PNET].learning_rate);
    assert_true(again.run.seed == UINT64_MAX);
    assert_string_equal(again.run.workdir, config.run.workdir);
    assert_memory_equal(again.train, config.train, sizeof config.train);
    qmt_free(text);
    qmt_free(second);
}

static void refuse_check(const char *key, const char *value, const char *part)
{
    qmt_config config;
    qmtcnn_error error;
    qmt_config_default(&config);
    assert_ok(qmt_config_set(&config, key, value, &error), &error);
    assert_int_equal(qmt_config_check(&config, &error), QMTCNN_ERROR_ARGUMENT);
    if (!strstr(error.message, part))
        fail_msg("'%s' lacks '%s'", error.message, part);
}

/* Only where scores are calibrated, and where there is a low threshold. */
static void test_check_of_calibration(void **state)
{
    qmt_config config;
    qmtcnn_error error;
    (void)state;
    qmt_config_default(&config);
    config.calibrate.keep[1] = 0.99f;
    assert_ok(qmt_config_check(&config, &error), &error);
    config.calibrate.scores = true;
    assert_int_equal(qmt_config_check(&config, &error), QMTCNN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "'calibrate.keep_low' is 0.99 for rnet"));
    config.evaluate.thresholds[1] = 0;
    assert_ok(qmt_config_check(&config, &error), &error);
    config.evaluate.thresholds[1] = 0.7f;
    assert_ok(qmt_config_check(&config, &error), &error);
    config.evaluate.thresholds[1] = 0.6f;
    config.calibrate.keep_low[1] = 0;
    assert_ok(qmt_config_check(&config, &error), &error);
}

static void test_check(void **state)
{
    (void)state;
    refuse_check("train.rnet.batch", "100", "'train.rnet.batch' is 100; give a multiple of 16, such as 112");
    refuse_check("train.ratio", "0,1,1,2", "train.pnet.ratio");
    refuse_check("train.learning_rate", "0", "learning_rate");
    refuse_check("quantize.start_epoch", "10", "'train.pnet.epochs' is 10");
    refuse_check("quantize.freeze_observers_epoch", "3", "freeze_observers_epoch");
    refuse_check("quantize.freeze_batch_norm_epoch", "3", "freeze_batch_norm_epoch");
    refuse_check("prepare.onet.part_iou", "0.9", "prepare.onet");
    refuse_check("synth.min_face", "300", "synth.min_face");
    refuse_check("synth.max_face", "500", "synth.max_face");
    refuse_check("detect.max_face", "15", "detect.min_face");
    refuse_check("quantize.keep_fp32", "pnet/conv1,qnet/conv2", "qnet/conv2");
    refuse_check("detect.refined_nms", "0.8, 0.3", "'detect.refined_nms' holds 0.3");
    refuse_check("export.profile", "upside-down", "export.profile");
    refuse_check("run.workdir", "", "run.workdir");
}

static void test_epochs(void **state)
{
    (void)state;
    qmt_quantize_config config = {.start_epoch = -1, .freeze_observers_epoch = -1, .freeze_batch_norm_epoch = -1};
    static const int expected[][3] = {{10, 7, 9}, {20, 14, 17}, {3, 2, 3}, {1, 0, 1}, {2, 1, 2}, {100, 70, 85}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        qmt_quantize_schedule schedule = qmt_quantize_epochs(&config, expected[i][0]);
        assert_int_equal(schedule.start, expected[i][1]);
        assert_int_equal(schedule.freeze_observers, expected[i][2]);
        assert_int_equal(schedule.freeze_batch_norm, expected[i][2]);
    }
    config.start_epoch = 9;
    qmt_quantize_schedule late = qmt_quantize_epochs(&config, 10);
    assert_int_equal(late.start, 9);
    assert_int_equal(late.freeze_observers, 9);
}

static void test_nearest(void **state)
{
    (void)state;
    assert_int_equal(qmt_edit_distance("trian", "train"), 1);
    assert_int_equal(qmt_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(qmt_edit_distance("", "abc"), 3);
    assert_int_equal(qmt_edit_distance("num-epochs", "num_epochs"), 0);
    assert_int_equal(qmt_edit_distance("ca", "abc"), 3); /* optimal string alignment */
}

static void test_help(void **state)
{
    (void)state;
    char *help = qmt_config_help();
    size_t count;
    const qmt_setting *settings = qmt_settings(&count);
    for (size_t i = 0; i < count; i++) {
        char key[128];
        snprintf(key, sizeof key, "%s.%s ", settings[i].section, settings[i].name);
        assert_non_null(strstr(help, key));
    }
    assert_non_null(strstr(help, "512 / 512 / 256"));
    qmt_free(help);
}

static void check_file(const char *path)
{
    qmt_config config;
    qmtcnn_error error;
    qmt_config_default(&config);
    assert_ok(qmt_config_read(path, &config, &error), &error);
    assert_ok(qmt_config_check(&config, &error), &error);
}

/* All that the repository holds. */
static void test_files(void **state)
{
    (void)state;
    static const char *const folders[] = {"configs", "configs/ablation"};
    qmt_config config;
    qmtcnn_error error;
    size_t files = 0;
    for (size_t i = 0; i < 2; i++) {
        char **names, *folder = qmt_path_join(QMT_SOURCE_DIR, folders[i]);
        size_t count;
        assert_ok(qmt_folder_list(folder, &names, &count, &error), &error);
        for (size_t k = 0; k < count; k++) {
            char *path = qmt_path_join(folder, names[k]);
            if (strstr(names[k], ".yaml")) {
                check_file(path);
                files++;
            }
            qmt_free(path);
        }
        qmt_names_free(names, count);
        qmt_free(folder);
    }
    assert_true(files > 10);
    assert_int_equal(qmt_config_read("/no/such.yaml", &config, &error), QMTCNN_ERROR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_wrong_yaml),
        cmocka_unit_test(test_hostile_yaml),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_failure_changes_nothing),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_of_calibration),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
