/* MATLAB files: made by hand, WIDER FACE's own against what SciPy reads in them, and damaged ones. */
#include "common/matlab_file.h"
#include "common/test.h"
#include "toolkit/base/matlab.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

static qmt_matlab *read_sound(const matlab_file *file)
{
    qmtcnn_error error = {0};
    qmt_matlab *matlab;
    assert_ok(qmt_matlab_read(file->bytes, file->size, "made.mat", &matlab, &error), &error);
    return matlab;
}

/* Reads what should not be read; the message must name the file and say `part`. */
static void refuse(const void *data, size_t size, qmtcnn_status expected, const char *part)
{
    qmtcnn_error error = {0};
    qmt_matlab *matlab = (qmt_matlab *)1;
    assert_int_equal(qmt_matlab_read(data, size, "made.mat", &matlab, &error), expected);
    assert_null(matlab);
    assert_int_equal(strncmp(error.message, "made.mat: ", 10), 0);
    if (!strstr(error.message, part))
        fail_msg("\"%s\" does not say \"%s\"", error.message, part);
    assert_int_equal(qmt_matlab_read(data, size, "made.mat", &matlab, NULL), expected);
}

static void check_wider(const matlab_file *file)
{
    static const double boxes[] = {10, 50, 20, 60, 30, 30, 40, 40};
    char text[16];
    double number;
    qmt_matlab *matlab = read_sound(file);
    const qmt_matlab_array *events = qmt_matlab_find(matlab, "event_list");
    const qmt_matlab_array *files = qmt_matlab_find(matlab, "file_list");
    const qmt_matlab_array *box = qmt_matlab_cell(qmt_matlab_cell(qmt_matlab_find(matlab, "face_bbx_list"), 0), 0);
    assert_int_equal(qmt_matlab_count(events), 1);
    assert_true(qmt_matlab_text(qmt_matlab_cell(events, 0), text, sizeof text));
    assert_string_equal(text, "0--Parade");
    assert_false(qmt_matlab_text(qmt_matlab_cell(events, 0), text, 9)); /* no room for the zero */
    assert_true(qmt_matlab_text(qmt_matlab_cell(qmt_matlab_cell(files, 0), 0), text, sizeof text));
    assert_string_equal(text, "a");
    assert_int_equal(box->rows, 2);
    assert_int_equal(box->columns, 4);
    for (size_t i = 0; i < 8; i++) {
        assert_true(qmt_matlab_number(box, i, &number));
        assert_true(number == boxes[i]);
    }
    /* What isn't there. */
    assert_null(qmt_matlab_find(matlab, "gt_lis"));
    assert_int_equal(qmt_matlab_count(NULL), 0);
    assert_null(qmt_matlab_cell(events, 1));
    assert_null(qmt_matlab_cell(box, 0));
    assert_null(qmt_matlab_cell(NULL, 0));
    assert_false(qmt_matlab_number(box, 8, &number));
    assert_false(qmt_matlab_number(events, 0, &number));
    assert_false(qmt_matlab_number(NULL, 0, &number));
    assert_false(qmt_matlab_text(box, text, sizeof text));
    assert_false(qmt_matlab_text(NULL, text, sizeof text));
    qmt_matlab_free(matlab);
}

static void both_byte_orders_and_compression(void **state)
{
    matlab_file plain, packed;
    (void)state;
    for (int big = 0; big < 2; big++) {
        matlab_wider(&plain, big);
        check_wider(&plain);
        assert_true(matlab_compress(&plain, &packed));
        check_wider(&packed);
    }
    qmt_matlab_free(NULL);
}

/* Every type of number, its value given as bits. */
static void number_types(void **state)
{
    static const struct {
        uint32_t type;
        int bytes;
        int64_t bits;
        double value;
    } cases[] = {{matlab_int8, 1, -3, -3},
                 {matlab_uint8, 1, 253, 253},
                 {matlab_int16, 2, -300, -300},
                 {matlab_uint16, 2, 65535, 65535},
                 {matlab_int32, 4, -70000, -70000},
                 {matlab_uint32, 4, 4000000000, 4e9},
                 {matlab_int64, 8, -5000000000, -5e9},
                 {matlab_uint64, 8, INT64_MIN, 9223372036854775808.0},
                 {matlab_single, 4, 0x3fc00000, 1.5},
                 {matlab_double, 8, 0x4004000000000000, 2.5}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int big = 0; big < 2; big++) {
            const int64_t values[] = {0, cases[i].bits};
            matlab_file file;
            double number;
            matlab_start(&file, big);
            size_t at = matlab_begin(&file, matlab_class_double, 1, 2, "x");
            matlab_values(&file, cases[i].type, values, 2, cases[i].bytes);
            matlab_end(&file, at);
            qmt_matlab *matlab = read_sound(&file);
            assert_true(qmt_matlab_number(qmt_matlab_find(matlab, "x"), 1, &number));
            assert_true(number == cases[i].value);
            qmt_matlab_free(matlab);
        }
}

/* Tag and data in eight bytes, as MATLAB writes all that is short: "ab" as a name, 7 and 9 as numbers. */
static void small_elements(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        static const int64_t flags[] = {matlab_class_double, 0}, sizes[] = {2, 1};
        matlab_file file;
        double first, second;
        matlab_start(&file, big);
        matlab_put(&file, matlab_matrix, 4);
        matlab_put(&file, 16 + 16 + 8 + 8, 4);
        matlab_values(&file, matlab_uint32, flags, 2, 4);
        matlab_values(&file, matlab_int32, sizes, 2, 4);
        matlab_put(&file, 2 << 16 | matlab_int8, 4);
        memcpy(file.bytes + file.size, "ab", 2);
        file.size += 4;
        matlab_put(&file, 4 << 16 | matlab_int16, 4);
        matlab_put(&file, 7, 2);
        matlab_put(&file, 9, 2);
        qmt_matlab *matlab = read_sound(&file);
        const qmt_matlab_array *array = qmt_matlab_find(matlab, "ab");
        assert_true(qmt_matlab_number(array, 0, &first) && qmt_matlab_number(array, 1, &second));
        assert_true(first == 7 && second == 9);
        qmt_matlab_free(matlab);
    }
}

/* Text as 16-bit letters; letters outside ASCII; structures and complex numbers, which are passed over; empty ones. */
static void other_content(void **state)
{
    static const int64_t letters[] = {'o', 'k'}, one[] = {1};
    char text[8];
    matlab_file file;
    (void)state;
    matlab_start(&file, 0);
    size_t at = matlab_begin(&file, matlab_class_char, 1, 2, "wide");
    matlab_values(&file, matlab_uint16, letters, 2, 2);
    matlab_end(&file, at);
    at = matlab_begin(&file, matlab_class_char, 1, 1, "accent");
    matlab_string(&file, matlab_utf8, "\xc3\xa9");
    matlab_end(&file, at);
    at = matlab_begin(&file, matlab_class_struct, 1, 1, "structure");
    matlab_string(&file, matlab_int8, "whatever stands here");
    matlab_end(&file, at);
    at = matlab_begin(&file, matlab_class_double | 0x0800, 1, 1, "complex");
    matlab_values(&file, matlab_uint8, one, 1, 1);
    matlab_values(&file, matlab_uint8, one, 1, 1);
    matlab_end(&file, at);
    at = matlab_begin(&file, matlab_class_cell, 1, 1, "empty");
    matlab_put(&file, matlab_matrix, 4);
    matlab_put(&file, 0, 4);
    matlab_end(&file, at);
    qmt_matlab *matlab = read_sound(&file);
    assert_true(qmt_matlab_text(qmt_matlab_find(matlab, "wide"), text, sizeof text));
    assert_string_equal(text, "ok");
    assert_false(qmt_matlab_text(qmt_matlab_find(matlab, "accent"), text, sizeof text));
    assert_int_equal(qmt_matlab_find(matlab, "structure")->kind, QMT_MATLAB_OTHER);
    assert_int_equal(qmt_matlab_count(qmt_matlab_find(matlab, "complex")), 0);
    assert_int_equal(qmt_matlab_count(qmt_matlab_cell(qmt_matlab_find(matlab, "empty"), 0)), 0);
    qmt_matlab_free(matlab);
}

/* ---- WIDER FACE's own ----------------------------------------------------------------------------- */

/* Pictures, faces, and sums over all boxes, letters of names, and listed numbers, as scipy.io.loadmat() gives them. */
struct official {
    const char *path;
    size_t pictures, faces;
    double boxes, letters, listed;
};

static void check_official(const struct official *expected)
{
    qmtcnn_error error = {0};
    qmt_matlab *matlab;
    struct official sums = {.path = expected->path};
    char *path = test_shared(expected->path), text[256];
    double number;
    assert_ok(qmt_matlab_open(path, &matlab, &error), &error);
    const qmt_matlab_array *files = qmt_matlab_find(matlab, "file_list");
    assert_int_equal(qmt_matlab_count(qmt_matlab_find(matlab, "event_list")), 61);
    for (size_t e = 0; e < 61; e++) {
        const qmt_matlab_array *event = qmt_matlab_cell(files, e);
        for (size_t i = 0; i < qmt_matlab_count(event); i++) {
            const qmt_matlab_array *boxes =
                qmt_matlab_cell(qmt_matlab_cell(qmt_matlab_find(matlab, "face_bbx_list"), e), i);
            const qmt_matlab_array *list = qmt_matlab_cell(qmt_matlab_cell(qmt_matlab_find(matlab, "gt_list"), e), i);
            assert_true(qmt_matlab_text(qmt_matlab_cell(event, i), text, sizeof text));
            for (size_t k = 0; text[k]; k++)
                sums.letters += text[k];
            for (size_t k = 0; qmt_matlab_number(boxes, k, &number); k++)
                sums.boxes += number;
            for (size_t k = 0; qmt_matlab_number(list, k, &number); k++)
                sums.listed += number;
            sums.pictures++;
            sums.faces += boxes->rows;
        }
    }
    assert_int_equal(sums.pictures, expected->pictures);
    assert_int_equal(sums.faces, expected->faces);
    assert_true(sums.boxes == expected->boxes && sums.letters == expected->letters && sums.listed == expected->listed);
    qmt_matlab_free(matlab);
    free(path);
}

static void official_files(void **state)
{
    static const struct official files[] = {
        {"data/wider_official/wider_face_val.mat", 3226, 39708, 33030677, 10288079, 0},
        {"data/wider_official/wider_easy_val.mat", 3226, 39708, 33030677, 10288079, 54635},
        {"data/wider_official/wider_hard_val.mat", 3226, 39708, 33030677, 10288079, 1677685},
        {"data/wider_official/wider_face_train.mat", 12880, 159424, 134960328, 41220283, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_official(&files[i]);
}

/* ---- What must be refused ------------------------------------------------------------------------- */

static void other_formats(void **state)
{
    static const uint8_t hdf5[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0, 0};
    matlab_file file;
    (void)state;
    matlab_start(&file, 0);
    refuse(hdf5, sizeof hdf5, QMTCNN_ERROR_UNSUPPORTED, "7.3 (HDF5): save it again with save(..., '-v7')");
    memcpy(file.bytes, "MATLAB 7.3 MAT-file", 19);
    refuse(file.bytes, file.size, QMTCNN_ERROR_UNSUPPORTED, "7.3 (HDF5)");
    matlab_start(&file, 0);
    file.bytes[125] = 2;
    refuse(file.bytes, file.size, QMTCNN_ERROR_UNSUPPORTED, "format 2.0");
    matlab_start(&file, 0);
    file.bytes[126] = 'X';
    refuse(file.bytes, file.size, QMTCNN_ERROR_FORMAT, "no byte order");
    file.bytes[1] = 0;
    refuse(file.bytes, file.size, QMTCNN_ERROR_UNSUPPORTED, "version 4");
    refuse("", 0, QMTCNN_ERROR_FORMAT, "0 bytes are no MATLAB file");
    qmtcnn_error error = {0};
    qmt_matlab *matlab;
    assert_int_equal(qmt_matlab_open("/no/such.mat", &matlab, &error), QMTCNN_ERROR_IO);
    assert_null(matlab);
}

static void set_word(matlab_file *file, size_t at, uint32_t word)
{
    size_t end = file->size;
    file->size = at;
    matlab_put(file, word, 4);
    file->size = end;
}

/* Sizes far above the file's, with 200 MB of address space left: they may not even be asked for. */
static void claims_cost_nothing(void **state)
{
    struct rlimit before, tight;
    matlab_file file, packed;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight = before;
    if (!TEST_SANITIZED)
        tight.rlim_cur = 200 << 20;
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    matlab_start(&file, 0);
    size_t at = matlab_begin(&file, matlab_class_cell, 1 << 30, 8, "x"); /* 8 billion cells */
    matlab_end(&file, at);
    refuse(file.bytes, file.size, QMTCNN_ERROR_FORMAT, "variable x: damaged: a cell array claims more entries");
    set_word(&file, at, 0xfffffff0); /* a variable of 4 GB */
    refuse(file.bytes, file.size, QMTCNN_ERROR_FORMAT, "cut short");
    static const int64_t few[] = {1, 2};
    matlab_start(&file, 0);
    at = matlab_begin(&file, matlab_class_double, 1 << 30, 2, "numbers");
    matlab_values(&file, matlab_double, few, 2, 8);
    matlab_end(&file, at);
    refuse(file.bytes, file.size, QMTCNN_ERROR_FORMAT, "another number of values");
    matlab_start(&file, 0);
    at = matlab_begin(&file, matlab_class_char, 1, 1 << 30, "text");
    matlab_string(&file, matlab_utf8, "ab");
    matlab_end(&file, at);
    refuse(file.bytes, file.size, QMTCNN_ERROR_FORMAT, "another number of values");
    /* A compressed variable that says that it inflates to 4 GB. */
    matlab_start(&file, 0);
    matlab_text(&file, "text", "ab");
    const uint32_t claims[] = {0xfffffff8, 0x30000000, 1 << 20};
    for (int i = 0; i < 3; i++) {
        uLongf size = 1000;
        set_word(&file, matlab_header + 4, claims[i]);
        memcpy(packed.bytes, file.bytes, matlab_header);
        packed.size = matlab_header;
        packed.big = 0;
        assert_int_equal(
            compress(packed.bytes + matlab_header + 8, &size, file.bytes + matlab_header, file.size - matlab_header),
            Z_OK);
        matlab_put(&packed, matlab_compressed, 4);
        matlab_put(&packed, size, 4);
        packed.size += size;
        refuse(packed.bytes, packed.size, QMTCNN_ERROR_FORMAT, "compressed");
    }
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

/* 1 MB of empty cells that 1 KB of deflate gives: read. 16 times as many: over the limit, and no memory taken. */
static void many_cells(void **state)
{
    enum { cells = 1 << 17 };
    static const int factors[] = {1, 16};
    (void)state;
    for (int f = 0; f < 2; f++) {
        size_t count = (size_t)cells * (size_t)factors[f], size = 56 + 8 * count;
        uint8_t *plain = calloc(size, 1), *packed = malloc(compressBound(size) + 136);
        matlab_file head;
        qmt_matlab *matlab;
        qmtcnn_error error = {0};
        uLongf bytes = compressBound(size);
        matlab_start(&head, 0);
        matlab_begin(&head, matlab_class_cell, (int)count, 1, "c");
        set_word(&head, matlab_header + 4, (uint32_t)(size - 8));
        assert_int_equal(head.size, matlab_header + 56);
        memcpy(plain, head.bytes + matlab_header, 56);
        for (size_t i = 0; i < count; i++)
            plain[56 + 8 * i] = matlab_matrix;
        assert_int_equal(compress(packed + 136, &bytes, plain, size), Z_OK);
        head.size = matlab_header;
        matlab_put(&head, matlab_compressed, 4);
        matlab_put(&head, bytes, 4);
        memcpy(packed, head.bytes, 136);
        if (f == 0) {
            assert_ok(qmt_matlab_read(packed, 136 + bytes, "many.mat", &matlab, &error), &error);
            assert_int_equal(qmt_matlab_count(qmt_matlab_find(matlab, "c")), cells);
            assert_int_equal(qmt_matlab_cell(qmt_matlab_find(matlab, "c"), cells - 1)->kind, QMT_MATLAB_NUMBERS);
            qmt_matlab_free(matlab);
        } else {
            refuse(packed, 136 + bytes, QMTCNN_ERROR_UNSUPPORTED, "more than 1048576 arrays");
        }
        free(packed);
        free(plain);
    }
}

static void deep_cells(void **state)
{
    size_t at[qmt_matlab_max_depth + 2];
    matlab_file file;
    (void)state;
    for (int depth = qmt_matlab_max_depth; depth <= qmt_matlab_max_depth + 1; depth++) {
        matlab_start(&file, 0);
        for (int i = 0; i < depth; i++)
            at[i] = matlab_begin(&file, matlab_class_cell, i + 1 < depth, 1, "d");
        for (int i = depth - 1; i >= 0; i--)
            matlab_end(&file, at[i]);
        if (depth == qmt_matlab_max_depth)
            qmt_matlab_free(read_sound(&file));
        else
            refuse(file.bytes, file.size, QMTCNN_ERROR_FORMAT, "nested too deeply");
    }
}

/* Looks at everything that there is. */
static size_t walk(const qmt_matlab_array *array)
{
    char text[64];
    double number;
    size_t seen = 1 + qmt_matlab_text(array, text, sizeof text);
    for (size_t i = 0; array && i < array->count && array->kind != QMT_MATLAB_TEXT; i++) {
        seen += qmt_matlab_number(array, i, &number);
        if (array->kind == QMT_MATLAB_CELL)
            seen += walk(qmt_matlab_cell(array, i));
    }
    return seen;
}

/* Reads bytes in a block of exactly their size, so that the sanitizer sees a read past the end. */
static bool try_bytes(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"event_list", "file_list", "face_bbx_list", "gt_list", "invalid_label_list"};
    qmtcnn_error error = {0};
    qmt_matlab *matlab;
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    bool sound = qmt_matlab_read(exact, size, "hurt.mat", &matlab, &error) == QMTCNN_OK;
    free(exact); /* the reader keeps its own copy */
    if (!sound)
        assert_true(!matlab && strncmp(error.message, "hurt.mat: ", 10) == 0);
    for (size_t i = 0; sound && i < sizeof names / sizeof *names; i++)
        walk(qmt_matlab_find(matlab, names[i]));
    if (sound)
        qmt_matlab_free(matlab);
    return sound;
}

static void mutations(void **state)
{
    uint32_t random = 5;
    matlab_file plain, packed, hurt;
    int sound = 0, tried = 0;
    (void)state;
    matlab_wider(&plain, 0);
    assert_true(matlab_compress(&plain, &packed));
    const matlab_file *sources[] = {&plain, &packed};
    for (int s = 0; s < 2; s++) {
        for (size_t cut = 0; cut < sources[s]->size; cut++, tried++)
            sound += try_bytes(sources[s]->bytes, cut);
        for (int i = 0; i < 4000; i++, tried++) {
            hurt = *sources[s];
            for (int n = 1 + i % 3; n > 0; n--) {
                random = random * 1664525u + 1013904223u;
                /* Words are whole numbers of 32 bits: a change of one is a sign, a size or a type. */
                size_t at = matlab_header - 8 + (random >> 8) % (hurt.size - matlab_header + 8);
                hurt.bytes[at] = i % 2 ? (uint8_t)(hurt.bytes[at] ^ 1u << random % 8) : (uint8_t)(random >> 24);
            }
            sound += try_bytes(hurt.bytes, hurt.size);
        }
    }
    print_message("%d of %d damaged files still read\n", sound, tried);
    assert_true(sound > 0 && sound < tried);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_byte_orders_and_compression),
        cmocka_unit_test(number_types),
        cmocka_unit_test(small_elements),
        cmocka_unit_test(other_content),
        cmocka_unit_test(official_files),
        cmocka_unit_test(other_formats),
        cmocka_unit_test(claims_cost_nothing),
        cmocka_unit_test(many_cells),
        cmocka_unit_test(deep_cells),
        cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
