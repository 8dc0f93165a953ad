#!/usr/bin/env python3
"""One line of docs/recipe.md's table for each set of models of a run: AP on the val split by face size and by source, on
the split made worse (bench/degrade.py), recall at 0.1 and 1 false alarms a picture, and AP at the thresholds that programs use.

    python bench/recipe.py TOOL DATA DEGRADED RUN [--variants fp32 ptq qat] [--sources jol mask853 facecount] [-- EVAL OPTION...]

DEGRADED holds small, blur, dark and jpeg. RUN is a run's working folder. Options after -- go to `qmtcnn eval`.
"""
import argparse
import json
import pathlib
import subprocess
import sys

KINDS = ["small", "blur", "dark", "jpeg"]
USUAL = "0.6,0.7,0.7"


def evaluate(tool, data, models, options):
    command = [tool, "eval", "--data", str(data), "--models", str(models), "--format", "json", *options]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)


def figures(args, models, more):
    """[(name, figure)] in the table's order."""
    whole = evaluate(args.tool, args.data, models, more)
    row = [("AP", whole["ap"])]
    row += [(f"AP {size}", ap) for size, ap in whole["ap_by_size"].items() if ap is not None]
    for source in args.sources:
        row.append((source, evaluate(args.tool, args.data, models, [*more, "--data.leave_out", source])["ap"]))
    for kind in KINDS:
        options = more
        if kind == "small":
            options = [*more, "--min-face", "12", "--evaluate.min_face", "12"]
        row.append((kind, evaluate(args.tool, args.degraded / kind, models, options)["ap"]))
    usual = evaluate(args.tool, args.data, models, [*more, "--thresholds", USUAL])
    row += [("R at 0.1", whole["froc"]["0.1"]), ("R at 1", whole["froc"]["1"])]
    row += [(f"AP at {USUAL}", usual["ap"]), ("R at 0.1 there", usual["froc"]["0.1"])]
    row.append(("NME", whole["landmark_error"]))
    return row


def main():
    arguments = sys.argv[1:]
    more = []
    if "--" in arguments:
        split = arguments.index("--")
        arguments, more = arguments[:split], arguments[split + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("degraded", type=pathlib.Path)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--variants", nargs="*", default=["fp32", "ptq", "qat"])
    parser.add_argument("--sources", nargs="*", default=["jol", "mask853", "facecount"])
    args = parser.parse_args(arguments)
    for number, variant in enumerate(args.variants):
        row = figures(args, args.run / "models" / f"mtcnn_{variant}", more)
        if number == 0:
            print("| run | variant | " + " | ".join(name for name, _ in row) + " |")
            print("| --- " * (len(row) + 2) + "|")
        values = " | ".join("" if value is None else f"{value:.3f}" for _, value in row)
        print(f"| {args.run.name} | {variant} | {values} |", flush=True)


if __name__ == "__main__":
    main()
