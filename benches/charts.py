#!/usr/bin/env python3
"""Draws docs/evidence/charts/*.svg from the JSON beside them, as the benches print it. A
person draws, CI checks; needs Python 3.10 or later and nothing else.

    benches/charts.py           # draws all charts whose numbers are there
    benches/charts.py --check   # draws nothing, fails if a chart does not match its numbers

New numbers come from these (about two minutes; four; as gate.py says; and two, which
writes them by itself):

    charts=$PWD/docs/evidence/charts
    (cd benches/peers && cargo run --release --locked -- --json) >$charts/peers.json
    cargo bench --all-features --bench scale -- --only=costs --json >$charts/scale.json
    benches/gate.py --json >$charts/gate.json
    cargo test --locked --all-features --lib fleet -- --ignored

The same numbers give the same bytes. The colours follow the reader's choice of light or
dark, also where a page shows the chart as an image, and nothing is told by colour alone.
"""

import argparse
import json
import math
import sys
from html import escape
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent.parent / "docs" / "evidence" / "charts"

# Of what is drawn, and of the margin around it: 720 together.
WIDTH, MARGIN = 696, 12

# Dark colours on whatever the page is, or light ones for a reader who prefers them. These have
# a dark ground of their own, since many pages stay white for all readers. Blue, orange and
# green are Okabe and Ito's, which the colour-blind can tell apart, darkened for white pages.
STYLE = """
svg { color-scheme: light dark; font: 13px system-ui, "Segoe UI", "Noto Sans", Helvetica,
  Arial, sans-serif; font-variant-numeric: tabular-nums;
  --text: #1f2328; --quiet: #59636e; --grid: #d1d9e0; --other: #818b98; --own: #0072b2;
  --warm: #b84f00; --turn: #00785a; --ground: none }
@media (prefers-color-scheme: dark) { svg {
  --text: #f0f6fc; --quiet: #9fa8b3; --grid: #3d444d; --other: #7d8691; --own: #56b4e9;
  --warm: #e69f00; --turn: #2dc197; --ground: #0d1117 } }
text { fill: var(--text) }
.ground { fill: var(--ground) }
.title { font-size: 16px; font-weight: 600 }
.quiet { fill: var(--quiet); font-size: 12px }
.strong { font-weight: 600 }
.small { font-size: 11px }
.grid { stroke: var(--grid) }
.mark { stroke: var(--quiet); stroke-dasharray: 3 3 }
.own { fill: var(--own) } .other { fill: var(--other) }
.series { fill: none; stroke-width: 2 }
.series.cold { stroke: var(--own) } .series.warm { stroke: var(--warm) }
.series.all { stroke: var(--turn) } .series.floor { stroke: var(--other); stroke-dasharray: 4 3 }
.point.cold { fill: var(--own) } .point.warm { fill: var(--warm) }
.point.all { fill: var(--turn) }
"""


def main():
    parser = argparse.ArgumentParser(description="Draws the charts of docs/evidence.")
    parser.add_argument("--check", action="store_true", help="fail if a chart is not up to date")
    check = parser.parse_args().check
    stale = []
    for name, draw in CHARTS.items():
        numbers, chart = DIRECTORY / f"{name}.json", DIRECTORY / f"{name}.svg"
        if not numbers.exists():
            print(f"{numbers.name}: not there")
            if chart.exists():
                stale.append(chart.name)
            continue
        drawn = draw(read(numbers))
        if not check:
            chart.write_text(drawn, encoding="utf-8", newline="\n")
            print(f"{chart.name}: drawn")
        elif not chart.exists() or chart.read_bytes() != drawn.encode():
            stale.append(chart.name)
    if check and stale:
        sys.exit(f"not what their numbers give: {', '.join(stale)}")


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


OWN = "this crate"

# The label and a remark for a name of benches/peers: what has to be known to compare it, such
# as the library that checks its signatures. Other names are shown as they are.
PEERS = {
    "layer_cold": (OWN, "each token new"),
    "layer_warm": (OWN, "the same token again"),
    "jwt-authorizer": ("jwt-authorizer", "ring"),
    "axum-jwks": ("axum-jwks", "ring; iss, nbf not checked"),
    "axum-jwt-auth": ("axum-jwt-auth", "RustCrypto"),
    "axum-jose": ("axum-jose", "aws-lc; nbf not checked"),
    "huskarl-resource-server": ("huskarl-resource-server", "RustCrypto"),
    "tower-oauth2-resource-server/rustcrypto": ("tower-oauth2-resource-server", "RustCrypto"),
}


def peers(rows):
    bars = []
    for row in sorted(rows, key=lambda row: row["ratio_to_floor"]):
        name = row["name"]
        if name == "floor" or name.startswith("no_layer"):
            continue
        label, _, backend = name.partition("/")
        label, remark = PEERS.get(name, (label, backend))
        bars.append(Bar(label, remark, label == OWN, row["ratio_to_floor"]))
    return draw_bars(
        "One request through each layer",
        "Time, as a multiple of one bare signature check by aws-lc. Shorter is better.",
        [bars],
        mark="the check alone",
    )


def gate(rows):
    groups = {}
    for row in rows:
        name = row["contender"]
        remark = "accepts everybody" if name.endswith("+ yes") else ""
        own = name.endswith("+ gate")
        bar = Bar(name, remark, own, row["requests_ratio"], row.get("cpu_ratio"))
        groups.setdefault(row.get("group"), []).append(bar)
    return draw_bars(
        "Requests a second through a proxy",
        "As a multiple of the same proxy without authentication. Longer is better.",
        groups.values(),
        mark="the bare proxy",
        further="CPU per request",
    )


class Bar:
    def __init__(self, label, remark, own, value, further=None):
        self.label, self.remark, self.own = label, remark, own
        self.value, self.further = value, further


def draw_bars(title, subtitle, groups, mark, further=None):
    """Bars on a linear axis from zero, so that twice as long is twice as much; 1 is marked, and
    a second number may stand on the right."""
    bars = [bar for group in groups for bar in group]
    beside = [bar.further for bar in bars if bar.further is not None]
    left, right = 214, WIDTH - (160 if beside else 56)
    row = 42 if any(bar.remark for bar in bars) else 30
    high = max([1, *(bar.value for bar in bars)])

    def x(value):
        return left + (right - left) * value / high

    top = y = 74
    late = x(1) > WIDTH / 2
    parts = [text(x(1), top - 9, f"1 = {mark}", "quiet", "end" if late else "start")]
    if beside:
        parts.append(text(WIDTH, top - 9, further, "quiet", "end"))
    for group in groups:
        parts.append(line(left, y, left, y + row * len(group), "grid"))
        for bar in group:
            middle, end = y + row / 2, x(bar.value)
            weight = "strong" if bar.own else ""
            base = middle - 3 if bar.remark else middle + 5
            parts.append(text(left - 12, base, bar.label, weight, "end"))
            if bar.remark:
                parts.append(text(left - 12, middle + 13, bar.remark, "quiet", "end"))
            if end < x(1) < end + 56:
                # The mark would strike the value out.
                parts.append(line(x(1), y, x(1), middle - 9, "mark"))
                parts.append(line(x(1), middle + 9, x(1), y + row, "mark"))
            else:
                parts.append(line(x(1), y, x(1), y + row, "mark"))
            parts.append(rect(left, middle - 9, end - left, 18, "own" if bar.own else "other"))
            parts.append(text(end + 7, middle + 5, rounded(bar.value), weight))
            if bar.further is not None:
                times = f"{rounded(bar.further)} times"
                parts.append(text(WIDTH, middle + 5, times, weight, "end"))
            y += row
        y += 14
    told = (f"{bar.label}{bar.remark and f' ({bar.remark})'}: {rounded(bar.value)}" for bar in bars)
    return svg(y - 14, title, subtitle, "; ".join(told), parts)


def rounded(value):
    return f"{value:.{3 if value < 0.1 else 2 if value < 10 else 1}f}"


def thousands(number):
    return f"{number // 1000}k" if number >= 1000 and number % 1000 == 0 else str(number)


# What scale.rs calls a group of rows, the title of its panel, and how its numbers are written.
PANELS = [
    ("keys", "keys in the set", thousands),
    ("issuers", "trusted issuers", thousands),
    ("fill", "tokens in the cache", thousands),
    ("size", "KiB in a token", lambda size: f"{size / 1024:g}"),
]
# A line's name here and for people, and what scale.rs calls its rows.
SERIES = [
    ("cold", "each token new", ["cold"]),
    ("all", "tokens in random order", ["all"]),
    ("warm", "the same token again", ["warm", "one"]),
    ("floor", "the check alone", ["floor"]),
]


def scale(rows):
    """A panel for each number that could matter, side by side on one logarithmic axis, where
    equal slopes are equal factors."""
    panels = {}
    for row in rows:
        what, _, rest = row["name"].partition("_")
        kind, _, number = rest.partition("_")
        # The floor and the table of threads are not of this kind.
        if number and "ratio_to_floor" in row:
            series = next(series for series, _, kinds in SERIES if kind in kinds)
            points = panels.setdefault(what, {}).setdefault(series, [])
            points.append((int(number), row["ratio_to_floor"]))
    shown = [panel for panel in PANELS if panel[0] in panels]
    lines = [points for panel in panels.values() for points in panel.values()]
    ratios = [ratio for points in lines for _, ratio in points]
    low, high = math.log10(min(ratios) / 2), math.log10(max(ratios) * 2)
    decades = [10**power for power in range(math.ceil(low), math.floor(high) + 1)]
    left, gap, top, bottom = 40, 10, 100, 310
    width = (WIDTH - left + gap) / len(shown) - gap

    def y(ratio):
        return bottom - (bottom - top) * (math.log10(ratio) - low) / (high - low)

    parts = legend(60)
    parts += [text(left - 8, y(decade) + 4, f"{decade:g}", "quiet", "end") for decade in decades]
    told = []
    for index, (what, title, written) in enumerate(shown):
        start = left + index * (width + gap)
        values = sorted({number for points in panels[what].values() for number, _ in points})
        span = math.log(values[-1] / values[0]) or 1

        def x(number):
            return start + 26 + (width - 52) * math.log(number / values[0]) / span

        parts.append(text(start + width / 2, top - 8, title, "strong", "middle"))
        parts += [line(start, y(decade), start + width, y(decade), "grid") for decade in decades]
        parts.append(line(start, bottom, start + width, bottom, "grid"))
        for number in values:
            parts.append(line(x(number), bottom, x(number), bottom + 4, "grid"))
            parts.append(text(x(number), bottom + 17, written(number), "quiet small", "middle"))
        places = {
            series: [(x(number), y(ratio)) for number, ratio in points]
            for series, points in panels[what].items()
        }
        # What no label may cover: lines, and labels, which are wider.
        taken = [(*place, 24) for points in places.values() for place in along(points)]
        for series, label, _ in SERIES:
            if series not in places:
                continue
            points = panels[what][series]
            parts.append(polyline(places[series], series))
            if series != "floor":
                parts += [marker(series, *place) for place in places[series]]
                for end in sorted({0, len(points) - 1}):
                    across, down = free_place(*places[series][end], taken)
                    taken.append((across, down, 44))
                    value = significant(points[end][1])
                    parts.append(text(across, down + 4, value, "small", "middle"))
            ends = (f"{significant(ratio)} at {written(number)}" for number, ratio in points)
            told.append(f"{title}, {label}: {', '.join(ends)}")
    return svg(
        bottom + 20,
        "What the cost of a token depends on",
        "Time, as a multiple of one bare signature check, on a logarithmic axis.",
        "; ".join(told),
        parts,
    )


# What the fleet's simulation calls a step, and the title of its panel.
FLEET = [
    ("start", "start"),
    ("roll-out", "roll-out"),
    ("rotation", "rotation"),
    ("flood", "flood"),
    ("outage", "outage"),
    ("start in an outage", "start in an outage"),
    ("no keys under load", "outage and pushes"),
    ("start under overload", "start, Retry-After"),
]


def fleet(rows):
    """A panel for each step, on one logarithmic axis, which begins at one request; none at all
    is drawn at its foot."""
    rows = {row["name"]: row for row in rows}
    columns, left, gap, top, height = 4, 44, 10, 86, 150
    width = (WIDTH - left + gap) / columns - gap
    minutes = 20
    decades = [1, 10, 100, 1000, 10000]
    parts, told = [], []
    x_of_legend = 0
    for series, label in [("cold", "requests"), ("floor", "their bound")]:
        parts.append(polyline([(x_of_legend, 56), (x_of_legend + 24, 56)], series))
        parts.append(text(x_of_legend + 31, 60, label, "quiet"))
        x_of_legend += 45 + 7 * len(label)
    for index, (name, title) in enumerate(FLEET):
        row = rows[name]
        start = left + index % columns * (width + gap)
        foot = top + index // columns * (height + 62) + height

        def x(place, values):
            return start + width * (place + 0.5) / len(values)

        def y(number):
            return foot - height * math.log10(max(number, 1)) / math.log10(30000)

        parts.append(text(start + width / 2, foot - height - 8, title, "strong", "middle"))
        for decade in decades:
            parts.append(line(start, y(decade), start + width, y(decade), "grid"))
            if index % columns == 0:
                parts.append(text(left - 8, y(decade) + 4, thousands(decade), "quiet", "end"))
        for minute in range(0, minutes + 1, 5):
            across = start + width * minute / minutes
            parts.append(line(across, foot, across, foot + 4, "grid"))
            anchor = "end" if minute == minutes else "middle" if minute else "start"
            parts.append(text(across, foot + 17, str(minute), "quiet small", anchor))
        for series, values in [("floor", row["bounds"]), ("cold", row["requests"])]:
            points = [(x(place, values), y(number)) for place, number in enumerate(values)]
            parts.append(polyline(points, series))
        told.append(f"{title}: {row['first']} in the first second, then at most {row['most']}")
    count = f"{rows['start']['replicas']:,}"
    return svg(
        top + 2 * height + 62 + 20,
        f"Requests a second of {count} replicas at GO's key address",
        "The most in one second, of every five seconds, on a logarithmic axis, by minutes.",
        "; ".join(told),
        parts,
    )


def along(points):
    """The points, and nine between each two."""
    between = [
        (a + (c - a) * step / 10, b + (d - b) * step / 10)
        for (a, b), (c, d) in zip(points, points[1:])
        for step in range(10)
    ]
    return between + points[-1:]


def free_place(x, y, taken):
    """The middle of a label above the point, or below if that is taken and this is not."""
    above, below = y - 13, y + 15

    def free(down):
        return all(abs(x - a) > reach or abs(down - b) > 9 for a, b, reach in taken)

    return x, below if free(below) and not free(above) else above


def significant(value):
    """With three digits."""
    return f"{value:#.3g}".rstrip(".")


def legend(y):
    parts, x = [], 0
    for series, label, _ in SERIES:
        parts.append(polyline([(x, y - 4), (x + 24, y - 4)], series))
        if series != "floor":
            parts.append(marker(series, x + 12, y - 4))
        parts.append(text(x + 31, y, label, "quiet"))
        x += 45 + 7 * len(label)
    return parts


def marker(series, x, y):
    """Another form for each series."""
    corners = {
        "cold": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
        "all": [(0, -5), (5, 4), (-5, 4)],
    }.get(series)
    if corners is None:
        return f'<circle class="point {series}" cx="{num(x)}" cy="{num(y)}" r="4"/>'
    corners = " ".join(f"{num(x + dx)},{num(y + dy)}" for dx, dy in corners)
    return f'<polygon class="point {series}" points="{corners}"/>'


def svg(height, title, subtitle, told, parts):
    width, height = WIDTH + 2 * MARGIN, height + 2 * MARGIN
    size = f'width="{width}" height="{num(height)}"'
    box = f'viewBox="{-MARGIN} {-MARGIN} {width} {num(height)}"'
    role = 'role="img" aria-labelledby="title desc"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} {role}>',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(subtitle)} {escape(told)}.</desc>',
        f"<style>{STYLE}</style>",
        rect(-MARGIN, -MARGIN, width, height, "ground"),
        text(0, 16, title, "title"),
        text(0, 37, subtitle, "quiet"),
    ]
    return "\n".join([*head, *parts, "</svg>\n"])


def text(x, y, content, kind="", anchor="start"):
    kind = f' class="{kind}"' if kind else ""
    anchor = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{kind} x="{num(x)}" y="{num(y)}"{anchor}>{escape(content)}</text>'


def rect(x, y, width, height, kind):
    size = f'width="{num(width)}" height="{num(height)}"'
    return f'<rect class="{kind}" x="{num(x)}" y="{num(y)}" {size}/>'


def line(x1, y1, x2, y2, kind):
    ends = f'x1="{num(x1)}" y1="{num(y1)}" x2="{num(x2)}" y2="{num(y2)}"'
    return f'<line class="{kind}" {ends}/>'


def polyline(points, kind):
    points = " ".join(f"{num(x)},{num(y)}" for x, y in points)
    return f'<polyline class="series {kind}" points="{points}"/>'


def num(value):
    return f"{value:.1f}".removesuffix(".0")


CHARTS = {"peers": peers, "scale": scale, "gate": gate, "fleet": fleet}

if __name__ == "__main__":
    main()
