/* TFRecord framing: length, checksum of the length, data, checksum of the data. */
#ifndef QMT_LOG_RECORD_H
#define QMT_LOG_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum { qmt_record_head = 12, qmt_record_tail = 4 };

/* Table of CRC-32C (Castagnoli) by bytes, polynomial 0x1EDC6F41 reflected. */
typedef struct qmt_crc {
    uint32_t table[256];
} qmt_crc;

void qmt_crc_init(qmt_crc *crc);
uint32_t qmt_crc32c(const qmt_crc *crc, const void *data, size_t size);
/* As TFRecord stores it: rotated and shifted, so that checksums of data with checksums in it stay sound. */
uint32_t qmt_crc_masked(const qmt_crc *crc, const void *data, size_t size);
/* What goes before and after `size` bytes of data. Little endian on every machine. */
void qmt_record_frame(const qmt_crc *crc, const void *data, size_t size, uint8_t head[qmt_record_head],
                      uint8_t tail[qmt_record_tail]);

#endif
