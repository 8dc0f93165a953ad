/* A profile as text and as JSON. */
#include "cli/bench_profile.h"

#include "cli/results.h"
#include "runtime/base/cpu.h"

#include <jansson.h>
#include <stdio.h>

static const char *const precision_names[qmt_profile_precisions] = {"fp32", "int8"};

static double share_of_peak(const qmt_profile_result *result, const qmt_profile_cost *cost, int precision)
{
    return cost->ms > 0 && result->peak[precision] > 0 ? cost->macs / (1e-3 * cost->ms) / result->peak[precision] : 0;
}

static void print_cost(const qmt_profile_result *result, const qmt_profile_cost *cost, int precision)
{
    if (!result->has[precision])
        return;
    printf(" | %8.3f ms %8.2f MB", cost->ms, cost->bytes / 1e6);
    if (cost->macs > 0 && cost->ms > 0)
        printf(" %6.1f GMAC/s %4.0f %%", cost->macs / cost->ms / 1e6, 100 * share_of_peak(result, cost, precision));
    else
        printf("                    ");
}

static void print_row(const qmt_profile_result *result, const qmt_profile_row *row)
{
    printf("  %-12s", row->name);
    for (int p = 0; p < qmt_profile_precisions; p++)
        print_cost(result, &row->cost[p], p);
    if (result->has[qmt_profile_fp32] && result->has[qmt_profile_int8] && row->cost[qmt_profile_int8].ms > 0)
        printf(" | %5.2f x", row->cost[qmt_profile_fp32].ms / row->cost[qmt_profile_int8].ms);
    printf("\n");
}

static qmt_profile_row sum_rows(const qmt_profile_net *rows)
{
    qmt_profile_row sum = {.name = "sum"};
    for (int i = 0; i < rows->count; i++)
        for (int p = 0; p < qmt_profile_precisions; p++) {
            sum.cost[p].ms += rows->rows[i].cost[p].ms;
            sum.cost[p].bytes += rows->rows[i].cost[p].bytes;
            sum.cost[p].macs += rows->rows[i].cost[p].macs;
        }
    return sum;
}

static void print_text(const qmt_profile_result *result)
{
    static const char *const titles[qmt_net_count] = {"P-Net, all levels", "R-Net", "O-Net"};
    char cpu[256];
    qmt_cpu_name(cpu, sizeof cpu);
    printf("%s, 1 thread; peak: FP32 %.1f GMAC/s, INT8 %.1f GMAC/s (%s)\n", cpu, result->peak[qmt_profile_fp32] / 1e9,
           result->peak[qmt_profile_int8] / 1e9, result->instructions);
    printf("columns: %s%s; times are the fastest of several runs, bytes those that must move once\n",
           result->has[qmt_profile_fp32] ? "fp32 " : "", result->has[qmt_profile_int8] ? "int8, times faster" : "");
    printf("\nwhole picture, %d x %d, %d levels, %d + %d crops (convert: a BGR picture, not in the sum)\n",
           result->width, result->height, result->levels, result->proposals, result->refined);
    for (int s = 0; s < qmt_profile_stages; s++)
        print_row(result, &result->stages[s]);
    for (int net = 0; net < qmt_net_count; net++) {
        const qmt_profile_row sum = sum_rows(&result->nets[net]);
        printf("\n%s", titles[net]);
        if (net != QMT_PNET)
            printf(", %d crops", result->nets[net].crops);
        printf(", %.1f MMAC\n", sum.cost[qmt_profile_fp32].macs / 1e6);
        for (int i = 0; i < result->nets[net].count; i++)
            print_row(result, &result->nets[net].rows[i]);
        print_row(result, &sum);
    }
}

static json_t *cost_json(const qmt_profile_result *result, const qmt_profile_cost *cost, int precision)
{
    if (!result->has[precision])
        return json_null();
    json_t *object = json_pack("{s:f,s:f}", "ms", cost->ms, "bytes", cost->bytes);
    if (object && cost->macs > 0) {
        json_object_set_new(object, "macs", json_real(cost->macs));
        json_object_set_new(object, "gmac_s", json_real(cost->ms > 0 ? cost->macs / cost->ms / 1e6 : 0));
        json_object_set_new(object, "peak_fraction", json_real(share_of_peak(result, cost, precision)));
    }
    return object;
}

static void append_row(const qmt_profile_result *result, const qmt_profile_row *row, json_t *list)
{
    json_t *object = json_pack("{s:s}", "name", row->name);
    for (int p = 0; p < qmt_profile_precisions && object; p++)
        json_object_set_new(object, precision_names[p], cost_json(result, &row->cost[p], p));
    json_array_append_new(list, object);
}

static qmtcnn_status print_json(const qmt_profile_result *result, qmtcnn_error *error)
{
    char cpu[256];
    json_t *rows = json_array(), *layers = json_object();
    qmt_cpu_name(cpu, sizeof cpu);
    for (int s = 0; s < qmt_profile_stages; s++)
        append_row(result, &result->stages[s], rows);
    for (int net = 0; net < qmt_net_count; net++) {
        json_t *list = json_array();
        for (int i = 0; i < result->nets[net].count; i++)
            append_row(result, &result->nets[net].rows[i], list);
        json_object_set_new(layers, qmt_net_name((qmt_net_id)net), list);
    }
    return qmt_print_json(json_pack("{s:{s:s,s:i,s:i,s:f,s:f,s:s,s:o,s:o}}", "profile", "cpu", cpu, "proposals",
                                    result->proposals, "refined", result->refined, "fp32_peak",
                                    result->peak[qmt_profile_fp32] / 1e9, "int8_peak",
                                    result->peak[qmt_profile_int8] / 1e9, "int8_instructions", result->instructions,
                                    "stages", rows, "layers", layers),
                          NULL, error);
}

qmtcnn_status qmt_profile_print(const qmt_profile_result *result, bool json, qmtcnn_error *error)
{
    if (json)
        return print_json(result, error);
    print_text(result);
    return QMTCNN_OK;
}
