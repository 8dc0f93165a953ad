/* Energy meters of a Linux machine, read through sysfs: RAPL's packages (/sys/class/powercap), energy and power sensors
 * of hwmon, and the INA3221 of Jetson boards. They measure the whole machine or processor, whoever uses it. */
#ifndef QMT_EVALUATE_ENERGY_H
#define QMT_EVALUATE_ENERGY_H

#include "runtime/base/status.h"

typedef struct qmt_energy_meter qmt_energy_meter;

/* Opens the best meter below `sysfs` ("/sys"; tests give a made-up tree). *meter NULL with QMTCNN_OK: there is none
 * that can be read, and `why` (of `size` bytes) says so, in one line. */
qmtcnn_status qmt_energy_open(const char *sysfs, qmt_energy_meter **meter, char *why, size_t size, qmtcnn_error *error);
void qmt_energy_close(qmt_energy_meter *meter);

/* What is measured, such as "RAPL package-0" or "INA3221 VDD_IN". */
const char *qmt_energy_source(const qmt_energy_meter *meter);

/* Reads the sensors and starts at 0 joules. `seconds`: now, of any clock. */
qmtcnn_status qmt_energy_start(qmt_energy_meter *meter, double seconds, qmtcnn_error *error);
/* Reads them again: counters' differences add up (a counter that began anew at its range is understood, if at least two
 * readings fall into its period, a minute or so), and power is taken as linear between two readings. */
qmtcnn_status qmt_energy_read(qmt_energy_meter *meter, double seconds, qmtcnn_error *error);
/* Joules between start and the last reading. */
double qmt_energy_joules(const qmt_energy_meter *meter);

#endif
