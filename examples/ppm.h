/* A reader for PPM pictures (P6, 8 bits), so that the examples need no library: `djpeg photo.jpg > photo.ppm` makes
 * one. */
#ifndef EXAMPLE_PPM_H
#define EXAMPLE_PPM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* RGB pixels, rows packed, for free(); NULL where the file is missing or no such picture. */
static inline uint8_t *read_ppm(const char *path, int *width, int *height)
{
    int maximum = 0;
    uint8_t *pixels = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    if (fscanf(file, "P6 %d %d %d", width, height, &maximum) == 3 && maximum == 255 && fgetc(file) != EOF &&
        *width > 0 && *height > 0 && *width <= 65535 && *height <= 65535) {
        const size_t size = 3 * (size_t)*width * (size_t)*height;
        pixels = (uint8_t *)malloc(size);
        if (pixels && fread(pixels, 1, size, file) != size) {
            free(pixels);
            pixels = NULL;
        }
    }
    fclose(file);
    return pixels;
}

#endif
