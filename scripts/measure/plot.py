"""Lines over time as an SVG file that any browser shows."""

import html

WIDTH, HEIGHT = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 40, 50
# Colours that differ for the colour-blind too (Okabe and Ito).
COLOURS = ['#d55e00', '#0072b2', '#e69f00', '#56b4e9', '#009e73', '#cc79a7']


def step_for(largest):
    """The distance of some five marks: 1, 2 or 5 times a power of ten."""
    step = 1e-6
    while True:
        for factor in (1, 2, 5):
            if largest / (step * factor) <= 6:
                return step * factor
        step *= 10


def marks(largest):
    step = step_for(largest)
    return [i * step for i in range(int(largest / step) + 1)]


def line_chart(title, x_label, y_label, lines):
    """`lines`: (name, points, is dashed) each, points as (x, y). A dashed line has the colour of
    the one before it."""
    x_most = max(x for _, points, _ in lines for x, _ in points) or 1
    y_most = max(y for _, points, _ in lines for _, y in points) * 1.05 or 1
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x_at(x):
        return LEFT + width * x / x_most

    def y_at(y):
        return TOP + height * (1 - y / y_most)

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" '
             'font-size="12">' % (WIDTH, HEIGHT),
             '<rect width="100%" height="100%" fill="white"/>',
             '<text x="%d" y="24" font-size="15">%s</text>' % (LEFT, html.escape(title))]
    for y in marks(y_most):
        parts.append('<path d="M%d %.1f H%d" stroke="#ddd"/>' % (LEFT, y_at(y), LEFT + width))
        parts.append('<text x="%d" y="%.1f" text-anchor="end">%g</text>' % (LEFT - 6, y_at(y) + 4,
                                                                         round(y, 6)))
    for x in marks(x_most):
        parts.append('<text x="%.1f" y="%d" text-anchor="middle">%g</text>' % (
            x_at(x), TOP + height + 18, round(x, 6)))
    parts.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (
        LEFT + width / 2, HEIGHT - 10, html.escape(x_label)))
    parts.append('<text x="16" y="%.1f" text-anchor="middle" transform="rotate(-90 16 %.1f)">%s'
                 '</text>' % (TOP + height / 2, TOP + height / 2, html.escape(y_label)))
    parts.append('<path d="M%d %d V%d H%d" fill="none" stroke="black"/>' % (
        LEFT, TOP, TOP + height, LEFT + width))
    hue = -1
    for number, (name, points, is_dashed) in enumerate(lines):
        if not is_dashed or hue < 0:
            hue += 1
        colour = COLOURS[hue % len(COLOURS)]
        dashes = ' stroke-dasharray="6 4"' if is_dashed else ''
        path = ' '.join('%.1f,%.1f' % (x_at(x), y_at(y)) for x, y in points)
        parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>' % (
            path, colour, dashes))
        y = TOP + 14 + 20 * number
        parts.append('<path d="M%d %d h24" stroke="%s" stroke-width="2"%s/>' % (
            LEFT + width + 14, y - 4, colour, dashes))
        parts.append('<text x="%d" y="%d">%s</text>' % (LEFT + width + 44, y, html.escape(name)))
    parts.append('</svg>\n')
    return '\n'.join(parts)
