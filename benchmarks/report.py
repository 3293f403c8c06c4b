"""Write benchmarks/RESULTS.md and its pictures from benchmarks/results/*.json. The ratios come first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PEER = "PaddleX 3.7.2"
SAM2 = "sam2, torch"
PADDLE = "ovseg, paddle"


def main() -> None:
    found = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    sections: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
        "peers": partial(peers, picture="peers.png"),
        "peers_sam_h": partial(peers, picture="peers_sam_h.png"),
        "peers_sam2": partial(peers, picture="peers_sam2.png"),
        "everything": everything,
        "detectors": detectors,
        "service": service,
        "service_sam_b": service,
        "throughput": throughput,
        "busy": busy,
        "cost": cost,
    }
    lines = [
        "# Results",
        "",
        "Written by `make bench`. The module named above a table describes what it measures. "
        "[Results of another machine](avx512/RESULTS.md), without AMX.",
        "",
    ]
    for name, write in sections.items():
        if name in found:
            lines += [*write(found[name]), *machine(found[name]["machine"]), ""]
    (HERE / "RESULTS.md").write_text("\n".join(lines))


def machine(facts: dict[str, str]) -> list[str]:
    text = f"{facts['cpu']} ({facts['instructions']}), {facts['memory']}; Python {facts['python']}, {facts['packages']}"
    return ["", f"<sub>{text}.</sub>"]


def peers(found: dict[str, Any], picture: str) -> Iterator[str]:
    models = list(dict.fromkeys(row["model"] for row in found["rows"]))
    yield from (
        f"## Networks compared with their peers: {', '.join(models)}",
        "",
        "`benchmarks/peers.py`: random weights, the same for all except transformers; SAM-Lite has its own weights.",
        "",
    )
    unit = "ms" if found.get("clock", "wall") == "wall" else "ms of CPU time"
    for model in models:
        rows = [row for row in found["rows"] if row["model"] == model]
        by = {row["by"]: row for row in rows}
        names = {PEER: "PaddleX", SAM2: SAM2, PADDLE: "Paddle, on which PaddleX runs"}
        theirs, name = next((by[peer], name) for peer, name in names.items() if peer in by)
        yield from table(
            (model, f"as fast as {name}", f"an image and a box, {unit}", f"each of 64 boxes, {unit}"),
            [
                (
                    row["by"],
                    f"**{theirs['first_ms'] / row['first_ms']:.1f}x**",
                    f"{row['first_ms']:,.0f} ({row['first_fastest_ms']:,.0f})",
                    f"{row['box_of_64_ms']:,.1f} ({row['box_of_64_fastest_ms']:,.1f})"
                    + (", encodes the image again" if row["sees_it_again"] else ""),
                )
                for row in rows
            ],
        )
        yield ""
        for row in rows:
            if row["parts_ms"] and not row["by"].startswith("ovseg"):
                yield f"{row['by']}: the encoder alone takes {row['parts_ms']['encoder']:,.0f} {unit}.\n"
            _, is_in_openvino, precision = row["by"].partition("ovseg, openvino")
            if is_in_openvino and precision != " int8":  # torch has no int8 product to compare with
                yield network_alone(row, precision.strip() or "float32", found, unit)
    yield (
        "Medians, and the fastest run. The mask of a box has the image's size: random weights draw noise, which "
        "takes longer to resize and to encode than an object."
    )
    yield ""
    yield f"![An image and a box]({picture})"
    bars(found["rows"], HERE / picture, unit.removeprefix("ms"))


def network_alone(row: dict[str, Any], precision: str, found: dict[str, Any], unit: str) -> str:
    gflop, ms = found["encoder_gflop"][row["model"]], row["parts_ms"]["encoder"]
    large, layer = (found["product_gflop_per_s"][f"{precision} {size}"] for size in ("large", "layer"))
    speed = gflop / ms * 1000
    return (
        f"{row['by']}: the encoder alone takes {ms:,.0f} {unit} for its {gflop} GFLOP, {speed:,.0f} GFLOP/s. That is "
        f"**{100 * speed / large:.0f} %** of the {large:,.0f} GFLOP/s that torch reached, in turns with it, for a "
        f"product of 4096 x 4096 matrices, and {100 * speed / layer:.0f} % of the {layer:,.0f} GFLOP/s for a product "
        "of a layer's size."
        f"{decoder_alone(**row['parts_ms'])}\n"
    )


def decoder_alone(encoder: float, box: float | None = None, box_of_64: float | None = None) -> str:
    if box is None or box_of_64 is None:
        return ""
    return f" The decoder alone takes {box:.1f} ms for a box, {box_of_64 / 64:.1f} for each of 64."


def everything(found: dict[str, Any]) -> Iterator[str]:
    height, width = found["image_hw"]
    yield from (
        "## Everything mode compared with its peers",
        "",
        f"`benchmarks/everything.py`: SAM-B in float32 with the same random weights, {width} x {height} pixels, "
        f"{found['points']} points. All find the same {found['rows'][0]['masks']} masks.",
        "",
    )
    ours = found["rows"][0]
    yield from table(
        ("", "ovseg is", "CPU seconds", "of these, the encoder", "ovseg without the encoder is"),
        [
            (
                row["by"],
                f"**{row['cpu_s'] / ours['cpu_s']:.1f}x** as fast",
                f"{row['cpu_s']:.1f}",
                f"{row['encoder_cpu_s']:.1f}",
                f"{clicks_alone(row) / clicks_alone(ours):.1f}x as fast",
            )
            for row in found["rows"]
        ],
    )


def detectors(found: dict[str, Any]) -> Iterator[str]:
    yield from (
        "## Boxes of phrases compared with transformers",
        "",
        f"`benchmarks/detectors.py`: Grounding DINO T in float32 with the same random weights, {len(found['phrases'])} "
        "phrases. For each list, transformers computes everything again, and ovseg what follows the image.",
        "",
    )
    theirs = {row["size"]: row["cpu_s"] for row in found["rows"] if not row["by"].startswith("ovseg")}
    steps = [step for step in found["rows"][0]["steps_cpu_s"] if step != "whole"]
    rows = [
        (
            row["size"],
            row["by"],
            f"**{theirs[row['size']] / row['cpu_s']:.1f}x**",
            f"{row['cpu_s']:.1f}",
            *(f"{row['steps_cpu_s'][step]:.1f}" if step in row["steps_cpu_s"] else "" for step in steps),
        )
        for row in found["rows"]
    ]
    yield from table(("image", "", "as fast as transformers", "CPU s", *(f"{step}, CPU s" for step in steps)), rows)


def clicks_alone(row: dict[str, Any]) -> float:
    return float(row["cpu_s"] - row["encoder_cpu_s"])


def service(found: dict[str, Any]) -> Iterator[str]:
    yield from (
        f"## The service compared with `paddlex --serve`, with {found['network']}",
        "",
        "`benchmarks/service.py`.",
        "",
    )
    by = {(row["by"], row["clients"], row["images"]): row for row in found["rows"]}
    rows = []
    for (name, clients, images), ours in by.items():
        theirs = by.get((PEER, clients, images))
        if name != PEER and theirs is not None:
            ratio = ours["jobs_per_s"] / theirs["jobs_per_s"]
            rows.append((images, clients, name, f"**{ratio:.1f}x**", *latency(ours), *latency(theirs)))
    head = (
        "images",
        "clients",
        "",
        "jobs per second, ratio",
        "jobs/s",
        "p50, s",
        "p99, s",
        "PaddleX: jobs/s",
        "p50, s",
        "p99, s",
    )
    yield from table(head, rows)
    yield ""
    jobs = {row["by"]: row["jobs"] for row in found["rows"] if row["images"] == "one"}
    ours, theirs = jobs["ovseg float32"], jobs[PEER]
    yield f"Jobs for one image, for any number of clients: {ours} of ovseg's, {theirs} of PaddleX's."


def latency(row: dict[str, Any]) -> tuple[str, str, str]:
    return f"{row['jobs_per_s']:.3g}", f"{row['p50_s']:.2f}", f"{row['p99_s']:.2f}"


def throughput(found: dict[str, Any]) -> Iterator[str]:
    yield from ("## The service without a network", "")
    yield (
        f"`benchmarks/throughput.py`, {found['clients']} clients on the same machine. One gateway process accepts "
        f"**{found['accepts_per_s']:.0f} jobs a second**."
    )
    yield ""
    stages = ("queue", "work", "fetch", "decode_image", "publish")
    medians = [[f"{row['median_ms'][stage]:.0f}" for stage in stages] for row in found["rows"]]
    rows = zip(found["rows"], medians, strict=True)
    yield from table(
        ("workers", "jobs/s", "lost", *(f"{stage}, ms" for stage in stages)),
        [(row["workers"], f"**{row['jobs_per_s']:.0f}**", row["lost"], *median) for row, median in rows],
    )


def busy(found: dict[str, Any]) -> Iterator[str]:
    yield from ("## A busy worker", "")
    timings = ", ".join(f"{stage} {ms / 1000:.1f}" for stage, ms in found["large_timings_ms"].items())
    yield f"`benchmarks/busy.py`, {found['clients']} clients, Redis, storage and the worker on one machine."
    yield ""
    yield from table(
        ("model", "jobs/s", "share of the device's thread in the network"),
        [
            (model, f"{found[model]['jobs_per_s']:.1f}", f"**{100 * found[model]['network_share']:.0f} %**")
            for model in ("SAM-Lite", "MobileSAM")
        ],
    )
    yield ""
    yield f"At its second start, `ovseg up` is ready after {found['second_start_s']:.1f} s."
    yield ""
    yield (
        f"A photo of 48 megapixels with 200 boxes: the worker's memory peaks at **{found['peak_mb']:.0f} MB** "
        f"({found['peak_mb_before']:.0f} before). Seconds: {timings}."
    )


def cost(found: dict[str, Any]) -> Iterator[str]:
    per_job = found["per_job"]
    yield from (
        "## What a small job costs",
        "",
        "`benchmarks/cost.py`: a click on a known image in one waiting POST, with the network's answer ready.",
        "",
    )
    processes = [(name, f"**{ms:.1f}**") for name, ms in per_job.items() if not name.startswith("S3")]
    yield from table(("process", "CPU ms for each job"), processes)
    yield ""
    requests = [f"{count:.0f} {name[3:]}" for name, count in per_job.items() if name.startswith("S3") and count >= 0.5]
    scripts = [f"{name} {row['us']:.0f}" for name, row in found["redis"].items() if name.endswith(".lua")]
    others = sum(row["calls"] for name, row in found["redis"].items() if not name.endswith(".lua"))
    yield f"Requests to S3: {', '.join(requests)}. Microseconds of scripts in Redis: {', '.join(scripts)}."
    yield f"Other commands to Redis: {others:.0f}."
    yield ""
    accepts = [(processes, each["per_s"], each["per_cpu_s"]) for processes, each in found["accepts"].items()]
    yield from table(("gateway processes", "jobs accepted in a second", "in a second of their CPU time"), accepts)


def table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    for line in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(str(cell) for cell in line) + " |"


def bars(rows: Sequence[dict[str, Any]], to: Path, of_what: str) -> None:
    mpl.use("Agg")
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = plt.subplots(1, len(models), figsize=(5 * len(models), 2.8), layout="constrained", squeeze=False)
    for axis, model in zip(axes[0], models, strict=True):
        of_model = sorted((row for row in rows if row["model"] == model), key=lambda row: -row["first_ms"])
        colours = ["#2f6fed" if row["by"].startswith("ovseg") else "#b9bec8" for row in of_model]
        drawn = axis.barh([row["by"] for row in of_model], [row["first_ms"] / 1000 for row in of_model], color=colours)
        axis.bar_label(drawn, fmt=f"%.2g s{of_what}", padding=4)
        axis.set_title(f"{model}: an image and a box", loc="left")
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.set_xticks([])
        axis.margins(x=0.15)
    figure.savefig(to, dpi=120)


if __name__ == "__main__":
    main()
