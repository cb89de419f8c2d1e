"""A picture of numbers that grow, with both axes in powers of ten."""

from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 420, 60, 400, 40, 40
COLOURS = ["#1f6feb", "#d1495b", "#2e933c", "#8e44ad", "#e08e0b", "#00798c", "#5d4037", "#607d8b", "#c2185b"]


def short(number):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:g} {unit}"
    return f"{number:g}"


def lines(path, title, series):
    """`series` has a list of (x, y) under each name; all of them above zero."""
    points = [point for line in series.values() for point in line]
    first, last = (choose(x for x, _ in points) for choose in (min, max))
    low, high = floor(log10(min(y for _, y in points))), ceil(log10(max(y for _, y in points)))
    high = max(high, low + 1)
    across = lambda x: LEFT + (WIDTH - LEFT - RIGHT) * (log10(x / first) / log10(last / first) if last > first else .5)
    up = lambda y: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (log10(y) - low) / (high - low)
    text = lambda x, y, said, more="": f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(said)}</text>'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', text(LEFT, 22, title, 'font-size="14"')]
    for power in range(low, high + 1):
        at = up(10 ** power)
        parts += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>', text(LEFT - 8, at + 4, short(10 ** power), 'text-anchor="end"')]
    for x in sorted({x for x, _ in points}):
        parts.append(text(across(x), HEIGHT - BOTTOM + 18, short(x), 'text-anchor="middle"'))
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(across(x), up(y)) for x, y in sorted(line)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        # The names stand in a list beside the lines, which may lie on each other.
        at = TOP + 12 + 20 * number
        parts += [f'<rect x="{WIDTH - RIGHT + 16}" y="{at - 9}" width="10" height="10" fill="{colour}"/>', text(WIDTH - RIGHT + 32, at, name)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
