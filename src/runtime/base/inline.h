/* Inner loops must be inlined where they are called, so that their counts are constants. */
#ifndef QMT_INLINE_H
#define QMT_INLINE_H

#if defined(__GNUC__)
#define QMT_INLINE static inline __attribute__((always_inline))
#else
#define QMT_INLINE static inline
#endif

#endif
