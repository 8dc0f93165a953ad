/* Messages are one line of UTF-8, whatever a hostile file puts into them. */
#include "common/test.h"

#include "runtime/base/status.h"

#include <string.h>

static void expect(const char *given, const char *expected)
{
    qmtcnn_error error;
    assert_int_equal(qmt_fail(&error, QMTCNN_ERROR_FORMAT, "%s", given), QMTCNN_ERROR_FORMAT);
    assert_string_equal(error.message, expected);
}

static void test_printable(void **state)
{
    (void)state;
    expect("plain", "plain");
    expect("M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80", "M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80");
    expect("a\nb\tc\r\033[2J\x7f", "a?b?c??[2J?");
    expect("\xc2\x9b"
           "31m",
           "??31m"); /* a terminal's escape in one character */
    expect("\xff\xfe \x80", "?? ?");
    expect("\xc0\x80", "??"); /* zero, encoded too long */
    expect("\xe0\x80\x80", "???");
    expect("\xed\xa0\x80", "???");      /* half a pair */
    expect("\xf4\x90\x80\x80", "????"); /* past the last character */
    expect("cut \xe2\x82", "cut ??");
}

/* A character that the end of the message cuts is no character. */
static void test_cut(void **state)
{
    (void)state;
    char text[QMTCNN_MESSAGE_SIZE + 8];
    qmtcnn_error error;
    memset(text, 'a', sizeof text);
    memcpy(text + QMTCNN_MESSAGE_SIZE - 2, "\xe2\x82\xac", 4);
    qmt_fail(&error, QMTCNN_ERROR_FORMAT, "%s", text);
    assert_int_equal(strlen(error.message), QMTCNN_MESSAGE_SIZE - 1);
    assert_int_equal(error.message[QMTCNN_MESSAGE_SIZE - 2], '?');
}

static void test_context(void **state)
{
    (void)state;
    qmtcnn_error error;
    qmt_fail(&error, QMTCNN_ERROR_IO, "inner\n");
    assert_int_equal(qmt_fail_in(&error, QMTCNN_ERROR_FORMAT, "file\033"), QMTCNN_ERROR_FORMAT);
    assert_string_equal(error.message, "file?: inner?");
    assert_int_equal(qmt_fail(NULL, QMTCNN_ERROR_IO, "no place for it"), QMTCNN_ERROR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_printable), cmocka_unit_test(test_cut),
                                       cmocka_unit_test(test_context)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
