/* safetensors files as tensors, as samples, and as checkpoints. */
#include "fuzz.h"
#include "toolkit/data/store_rows.h"
#include "toolkit/net/net.h"

static uint64_t sum_of(const void *data, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += ((const uint8_t *)data)[i];
    return sum;
}

static void load_network(const qmt_tensors_file *file)
{
    qmtcnn_error error = {0};
    qmt_net_table table;
    qmt_net *net = NULL;
    qmtcnn_status status = qmt_net_table_load(file, &table, &error);
    fuzz_check_message(status, &error);
    if (status == QMTCNN_OK && qmt_net_create(&table, 1, &net, &error) == QMTCNN_OK)
        fuzz_check_message(qmt_net_load(net, file, &error), &error);
    qmt_net_free(net);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qmtcnn_error error = {0};
    qmt_tensors_file *file = NULL;
    qmt_sample_rows rows;
    const char *path = fuzz_file("input.safetensors", data, size);
    qmtcnn_status status = qmt_tensors_open(path, &file, &error);
    fuzz_check_message(status, &error);
    if (status != QMTCNN_OK)
        return 0;
    volatile uint64_t sum = 0; /* every byte that a tensor claims can be read */
    for (size_t i = 0; i < qmt_tensors_count(file); i++)
        sum = sum + sum_of(qmt_tensors_at(file, i)->data, qmt_tensors_at(file, i)->bytes);
    load_network(file);
    qmt_tensors_close(file);
    status = qmt_sample_rows_open(path, qmt_net_side(QMT_PNET), &rows, &error);
    fuzz_check_message(status, &error);
    for (size_t i = 0; status == QMTCNN_OK && i < rows.count; i++) {
        qmt_sample sample;
        qmt_sample_rows_get(&rows, i, &sample);
        fuzz_check((int)sample.sample_class < qmt_class_count, "a class that there is not");
    }
    if (status == QMTCNN_OK)
        qmt_sample_rows_close(&rows);
    return 0;
}
