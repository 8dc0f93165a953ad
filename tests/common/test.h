/* What all tests share: cmocka, temporary folders, and the real pictures, which may be missing. */
#ifndef QMT_TEST_H
#define QMT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/status.h"

/* Built with AddressSanitizer or ThreadSanitizer: slower, and with terabytes of address space mapped. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

/* Fails the test with the error's message unless status is QMTCNN_OK. */
#define assert_ok(status, error) test_assert_ok((status), (error), __FILE__, __LINE__)
void test_assert_ok(qmtcnn_status status, const qmtcnn_error *error, const char *file, int line);

/* A new empty folder, removed by test_remove_folder(). For free(). */
char *test_make_folder(void);
void test_remove_folder(char *folder);

/* PATH below the folder of real pictures and weights, for free(); skips the running test where it is missing. */
char *test_shared(const char *path);

#endif
