#!/usr/bin/env bash
# From a bare machine to checked INT8 models on synthetic faces: installs, builds, trains, quantizes, validates, detects.
# The run takes 3 to 6 minutes on 2 cores, installing and building come on top. Run it again to skip what is done. Options go to `qmtcnn run`.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$(date +%s)

scripts/setup_environment.sh
if command -v clang >/dev/null; then export CC=${CC:-clang}; fi
mkdir -p build
cmake --preset release -DQMT_TESTS=OFF >build/demo.log 2>&1 || { cat build/demo.log >&2; exit 1; }
cmake --build --preset release >>build/demo.log 2>&1 || { tail -n 60 build/demo.log >&2; exit 1; }

# Real pictures beside the folder, if there are any: then the report also tells what training on synthetic faces is worth.
real=${QMT_REAL_DATA:-../shared/data}
options=()
if [ -d "$real/wider_face_split" ] || [ -d "$real/WIDER_val" ]; then options+=(--real-data "$real"); fi
status=0
build/release/qmtcnn run configs/demo.yaml ${options[@]+"${options[@]}"} "$@" || status=$?

work=runs/demo
previous=
for option in "$@"; do
    case $previous in --workdir | --run.workdir) work=$option ;; esac
    previous=$option
done
if [ ! -e "$work/report/index.html" ]; then exit $status; fi
echo "Took $((($(date +%s) - start) / 60)) min $((($(date +%s) - start) % 60)) s."
echo "Report:   $work/report/index.html"
echo "Pictures: $work/report/pictures/"
echo "Models:   $work/models/mtcnn_qat/ (INT8), $work/models/mtcnn_fp32/"
echo "Try:      build/release/qmtcnn detect --models $work/models/mtcnn_qat YOUR_PICTURE.jpg"
exit $status
