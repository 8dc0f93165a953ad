/* Texts of the scripts that build TensorRT engines, with @NAME@ where a value goes. */
#ifndef QMT_DEPLOY_SCRIPTS_H
#define QMT_DEPLOY_SCRIPTS_H

#include <stddef.h>

/* Lines without their ends. */
const char *const *qmt_tensorrt_sh(size_t *count);
const char *const *qmt_tensorrt_bat(size_t *count);

#endif
