#include "toolkit/log/record.h"

void qmt_crc_init(qmt_crc *crc)
{
    const uint32_t reflected = 0x82F63B78;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ reflected : value >> 1;
        crc->table[i] = value;
    }
}

uint32_t qmt_crc32c(const qmt_crc *crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t value = UINT32_MAX;
    for (size_t i = 0; i < size; i++)
        value = value >> 8 ^ crc->table[(value ^ bytes[i]) & 255];
    return ~value;
}

uint32_t qmt_crc_masked(const qmt_crc *crc, const void *data, size_t size)
{
    uint32_t value = qmt_crc32c(crc, data, size);
    return (value >> 15 | value << 17) + 0xA282EAD8u;
}

static void store(uint8_t *bytes, uint64_t value, int count)
{
    for (int i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

void qmt_record_frame(const qmt_crc *crc, const void *data, size_t size, uint8_t head[qmt_record_head],
                      uint8_t tail[qmt_record_tail])
{
    store(head, size, 8);
    store(head + 8, qmt_crc_masked(crc, head, 8), 4);
    store(tail, qmt_crc_masked(crc, data, size), 4);
}
