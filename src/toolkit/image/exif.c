#include "toolkit/image/exif.h"

#include <string.h>

/* TIFF data in the byte order that its header states. */
typedef struct tiff {
    const uint8_t *data;
    size_t size;
    bool big_endian;
} tiff;

static bool read_number(const tiff *t, size_t offset, size_t bytes, uint32_t *number)
{
    if (offset > t->size || t->size - offset < bytes)
        return false;
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | t->data[offset + (t->big_endian ? i : bytes - 1 - i)];
    *number = value;
    return true;
}

/* EXIF 2.3, 4.6.4: tag 0x0112 of the first directory, one SHORT. */
static int orientation_entry(const tiff *t, size_t entry)
{
    uint32_t tag, type, count, value;
    if (!read_number(t, entry, 2, &tag) || tag != 0x0112 || !read_number(t, entry + 2, 2, &type) ||
        !read_number(t, entry + 4, 4, &count) || !read_number(t, entry + 8, 2, &value))
        return 0;
    enum { type_short = 3 };
    return type == type_short && count == 1 && value >= 1 && value <= 8 ? (int)value : 0;
}

int qmt_exif_orientation(const uint8_t *data, size_t size)
{
    static const uint8_t magic[6] = {'E', 'x', 'i', 'f', 0, 0};
    if (size < sizeof magic + 8 || memcmp(data, magic, sizeof magic) != 0)
        return 1;
    tiff t = {data + sizeof magic, size - sizeof magic, false};
    if (memcmp(t.data, "MM", 2) == 0)
        t.big_endian = true;
    else if (memcmp(t.data, "II", 2) != 0)
        return 1;
    uint32_t version, directory, count;
    if (!read_number(&t, 2, 2, &version) || version != 42 || !read_number(&t, 4, 4, &directory) ||
        !read_number(&t, directory, 2, &count))
        return 1;
    enum { entry_size = 12 };
    for (uint32_t i = 0; i < count && (size_t)directory + 2 + (size_t)i * entry_size < t.size; i++) {
        int orientation = orientation_entry(&t, (size_t)directory + 2 + (size_t)i * entry_size);
        if (orientation)
            return orientation;
    }
    return 1;
}

qmtcnn_status qmt_image_turn(qmt_image *image, int orientation, qmtcnn_error *error)
{
    if (orientation < 2 || orientation > 8)
        return QMTCNN_OK;
    /* Each stored row is a line of the upright picture that starts at `start` and goes on by `along`; the next stored
     * row starts `across` further. (EXIF 2.3: which side of the scene the stored row 0 and column 0 are.) */
    bool swaps = orientation >= 5;
    bool right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    bool bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    int width = swaps ? image->height : image->width, height = swaps ? image->width : image->height;
    qmt_image upright;
    qmtcnn_status status = qmt_image_create(width, height, &upright, error);
    if (status != QMTCNN_OK)
        return status;
    ptrdiff_t step_x = right ? -3 : 3, step_y = (ptrdiff_t)(bottom ? -3 : 3) * width;
    ptrdiff_t along = swaps ? step_y : step_x, across = swaps ? step_x : step_y;
    ptrdiff_t start = (right ? (ptrdiff_t)(width - 1) * 3 : 0) + (bottom ? (ptrdiff_t)(height - 1) * width * 3 : 0);
    const uint8_t *from = image->data;
    for (ptrdiff_t y = 0; y < image->height; y++)
        for (ptrdiff_t x = 0; x < image->width; x++, from += 3)
            memcpy(upright.data + start + y * across + x * along, from, 3);
    qmt_image_clear(image);
    *image = upright;
    return QMTCNN_OK;
}
