"""plot.svg: CPU per operation by test, one panel for each pipeline depth."""

from html import escape

from report import TITLES, number

COLOURS = {"weir": "#0b7a75", "redis": "#d1495b", "valkey": "#6c5ce7", "null": "#b8b8b8"}
TEXT = "#222222"
FAINT = "#e4e4e4"

WIDTH = 960
LEFT = 56
RIGHT = 16
TOP = 64
PANEL = 200
PANEL_GAP = 64
GROUP_SHARE = 0.82


def _text(x, y, content, size=12, anchor="middle", weight="normal", colour=TEXT):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        f' font-weight="{weight}" fill="{colour}">{escape(content)}</text>'
    )


def _step(top):
    """A round distance between grid lines: four or five of them up to `top`."""
    step = 1e-6
    while True:
        for factor in (1, 2, 5):
            if top / (step * factor) <= 5:
                return step * factor
        step *= 10


def draw(records, subtitle):
    """The plot as SVG text, or None when no CPU per operation was measured."""
    cases = records.cases("core")
    servers = [server for server in COLOURS if server in records.servers("core")]
    pipelines = sorted({pipeline for _, pipeline in cases})
    if not cases or not servers:
        return None
    height = TOP + len(pipelines) * (PANEL + PANEL_GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" role="img"'
        ' aria-label="Server CPU per operation">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(LEFT, 24, "Server CPU per operation, microseconds (less is better)", 16, "start",
              "bold"),
        _text(LEFT, 42, subtitle, 11, "start", colour="#666666"),
    ]  # fmt: skip
    legend_x = WIDTH - RIGHT - 110 * len(servers)
    for index, server in enumerate(servers):
        x = legend_x + 110 * index
        parts.append(
            f'<rect x="{x}" y="14" width="12" height="12" fill="{COLOURS[server]}"/>'
        )
        parts.append(_text(x + 17, 24, TITLES[server], 12, "start"))
    for index, pipeline in enumerate(pipelines):
        top = TOP + index * (PANEL + PANEL_GAP) + 16
        tests = [test for test, depth in cases if depth == pipeline]
        parts += _panel(records, tests, pipeline, servers, top)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _panel(records, tests, pipeline, servers, top):
    def value(test, server):
        return records.median("core", test, pipeline, server, "cpu_us_per_op")

    highest = max(value(test, server) or 0 for test in tests for server in servers)
    if highest == 0:
        return []
    bottom = top + PANEL
    scale = PANEL / (highest * 1.1)
    parts = [_text(LEFT, top - 6, f"Pipeline depth {pipeline}", 13, "start", "bold")]
    step = _step(highest * 1.1)
    for mark in range(int(highest * 1.1 / step) + 1):
        y = bottom - mark * step * scale
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{FAINT}"/>'
        )
        parts.append(_text(LEFT - 6, y + 4, f"{mark * step:g}", 11, "end", colour="#666666"))
    group = (WIDTH - LEFT - RIGHT) / len(tests)
    bar = group * GROUP_SHARE / len(servers)
    for position, test in enumerate(tests):
        start = LEFT + position * group + group * (1 - GROUP_SHARE) / 2
        for offset, server in enumerate(servers):
            cost = value(test, server)
            if cost is None:
                continue
            x, tall = start + offset * bar, cost * scale
            parts.append(
                f'<rect x="{x + 1:.1f}" y="{bottom - tall:.1f}" width="{bar - 2:.1f}"'
                f' height="{tall:.1f}" fill="{COLOURS[server]}"/>'
            )
            parts.append(_text(x + bar / 2, bottom - tall - 3, number(cost), 9))
        parts.append(_text(start + group * GROUP_SHARE / 2, bottom + 16, test))
    return parts
