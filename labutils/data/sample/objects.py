"""Ten shapes, one function a class: ``airplane(pen, paint, rng)`` and so on.

Each fills about -1..1 of the pen's coordinates, y up, and looks right. What lies behind is drawn
first. Some classes have two views.
"""

from labutils.data.sample.pen import BLACK, GLASS, TYRE, WHITE, mix, pick


def airplane(pen, paint, rng):
    """Fuselage with swept wings and a tail, seen from above or from the side."""
    span = rng.uniform(0.65, 0.95)
    from_above = rng.random() < 0.35
    far = span if from_above else 0.75 * span
    far_ink = paint.light if from_above else paint.shade
    pen.shape([(0.25, 0.05), (-0.1, 0.05), (-0.45, far), (-0.2, far)], far_ink)
    if from_above:
        pen.shape([(-0.65, 0.05), (-0.9, 0.05), (-1.05, 0.4), (-0.92, 0.4)], paint.accent)
    else:
        pen.shape([(-0.55, 0.05), (-0.98, 0.05), (-1.05, 0.5), (-0.85, 0.5)], paint.accent)
    pen.oval(0, 0, 1.0, 0.17, paint.body)
    pen.shape([(-0.65, -0.02), (-0.9, -0.02), (-1.07, -0.35), (-0.94, -0.35)], paint.shade)
    pen.shape([(0.25, -0.04), (-0.15, -0.04), (-0.55, -span), (-0.27, -span)], paint.light)
    if not from_above:
        pen.line([(-0.5, 0.05), (0.6, 0.05)], 0.05, BLACK)
    pen.shape([(0.72, -0.02), (0.92, -0.02), (0.78, 0.1), (0.68, 0.1)], BLACK)


def automobile(pen, paint, rng):
    """A low body, a cabin with two windows, two wheels."""
    roof = rng.uniform(0.42, 0.6)
    back = rng.uniform(-0.85, -0.5)
    pen.shape([(back - 0.1, 0.05), (back + 0.15, roof), (0.25, roof), (0.6, 0.05)], paint.body)
    pen.shape([(back + 0.08, 0.08), (back + 0.22, roof - 0.1), (-0.1, roof - 0.1), (-0.1, 0.08)],
              GLASS)  # fmt: skip
    pen.shape([(0.0, 0.08), (0.0, roof - 0.1), (0.2, roof - 0.1), (0.45, 0.08)], GLASS)
    pen.shape([(-1, 0.05), (0.6, 0.08), (0.97, -0.02), (1, -0.38), (-1, -0.38)], paint.body)
    pen.shape([(-1, -0.25), (1, -0.25), (1, -0.38), (-1, -0.38)], paint.shade)
    pen.oval(0.93, -0.1, 0.07, 0.07, (250, 235, 150))
    for x in (-0.58, 0.58):
        pen.oval(x, -0.38, 0.25, 0.25, TYRE)
        pen.oval(x, -0.38, 0.11, 0.11, (190, 190, 195))


def bird(pen, paint, rng):
    """A round body with a beak and a tail, on thin legs or with its wings up."""
    flying = rng.random() < 0.4
    if flying:
        lift = rng.uniform(0.6, 0.95)
        pen.shape([(0.25, 0.1), (-0.15, 0.1), (-0.1, lift), (0.25, lift * 0.9)], paint.shade)
    else:
        for x in (-0.12, 0.12):
            pen.line([(x, -0.3), (x + 0.05, -0.85), (x + 0.2, -0.85)], 0.07, (190, 120, 40))
    pen.shape([(-0.3, 0.12), (-1.0, 0.05), (-1.0, -0.2), (-0.35, -0.2)], paint.shade)
    pen.oval(0, -0.05, 0.52, 0.33, paint.body, tilt=0.25)
    pen.oval(0.1, -0.18, 0.32, 0.18, paint.light, tilt=0.25)
    pen.shape([(0.65, 0.5), (0.65, 0.22), (1.02, 0.32)], (235, 160, 40))
    pen.oval(0.5, 0.37, 0.25, 0.24, paint.body)
    pen.oval(0.58, 0.42, 0.06, 0.06, BLACK)
    if flying:
        pen.shape([(0.2, 0.05), (-0.3, 0.0), (-0.75, 0.85 * lift), (-0.45, lift)], paint.accent)
    else:
        pen.oval(-0.15, 0.0, 0.36, 0.16, paint.accent, tilt=0.3)


def legs(pen, rng, colour, shade, xs, top, width):
    """Four legs in stride: the two far ones in shadow first."""
    stride = rng.uniform(-0.16, 0.16)
    back, front = xs
    for x, step, ink in ((back + 0.12, -stride, shade), (front - 0.12, stride, shade),
                         (back, stride, colour), (front, -stride, colour)):  # fmt: skip
        pen.line([(x, top), (x + step / 2, -0.5), (x + step, -0.95)], width, ink)


def sitting(pen, paint):
    """The body of an animal that sits and faces us."""
    pen.oval(0, -0.5, 0.42, 0.5, paint.body)
    pen.oval(0, -0.5, 0.2, 0.34, paint.light)
    for side in (-1, 1):
        pen.oval(0.22 * side, -0.92, 0.16, 0.1, paint.light)


def cat_head(pen, paint, rng, tabby):
    """A cat's face, about 1 wide: ears, eyes, nose and whiskers."""
    eye = pick(rng, [(120, 200, 80), (230, 200, 60), (110, 190, 220)])
    for side in (-1, 1):
        pen.shape([(0.5 * side, 0.0), (0.45 * side, 0.7), (0.06 * side, 0.33)], paint.body)
        pen.shape([(0.43 * side, 0.2), (0.4 * side, 0.52), (0.2 * side, 0.3)], (225, 150, 150))
    pen.oval(0, 0, 0.54, 0.42, paint.body)
    for x in (-0.16, 0, 0.16) if tabby else ():
        pen.line([(x, 0.4), (x, 0.2)], 0.07, paint.shade)
    pen.oval(0, -0.17, 0.25, 0.17, paint.light)
    for side in (-1, 1):
        pen.oval(0.23 * side, 0.08, 0.12, 0.11, eye)
        pen.oval(0.23 * side, 0.08, 0.05, 0.1, BLACK)
        for y in (-0.12, -0.27):
            pen.line([(0.15 * side, -0.16), (0.72 * side, y)], 0.03, paint.outline)
    pen.shape([(-0.08, -0.07), (0.08, -0.07), (0, -0.17)], (215, 110, 120))


def cat(pen, paint, rng):
    """Pointed ears, whiskers, a long tail; sitting or walking by, but looking at us."""
    tabby = rng.random() < 0.5
    if rng.random() < 0.65:
        pen.line([(-0.3, -0.8), (-0.75, -0.7), (-0.8, -0.2), (-0.65, 0.1)], 0.16, paint.shade)
        sitting(pen, paint)
        cat_head(pen.at(rng.uniform(-0.1, 0.2), 0.32, 1.0), paint, rng, tabby)
    else:
        pen.line([(-0.6, -0.1), (-0.9, 0.15), (-0.95, 0.5), (-0.75, 0.8)], 0.13, paint.shade)
        legs(pen, rng, paint.body, paint.shade, (-0.5, 0.25), -0.3, 0.14)
        pen.oval(-0.12, -0.22, 0.6, 0.28, paint.body)
        for x in (-0.5, -0.3, -0.1) if tabby else ():
            pen.line([(x, 0.0), (x + 0.05, -0.3)], 0.08, paint.shade)
        cat_head(pen.at(0.52, 0.25, 0.9), paint, rng, tabby)


def deer(pen, paint, rng):
    """Slender legs, an upright neck, antlers, a white tail and spots."""
    legs(pen, rng, paint.body, paint.shade, (-0.55, 0.2), -0.1, 0.1)
    pen.oval(-0.18, 0.0, 0.55, 0.25, paint.body)
    pen.oval(-0.72, 0.1, 0.1, 0.14, WHITE)
    pen.shape([(0.1, 0.1), (0.35, 0.55), (0.52, 0.5), (0.38, -0.1)], paint.body)
    pen.oval(0.55, 0.52, 0.26, 0.12, paint.body, tilt=-0.3)
    pen.oval(0.3, 0.62, 0.13, 0.06, paint.shade, tilt=2.6)
    horn = mix(paint.outline, (150, 110, 70), 0.3)
    for x in (0.38, 0.5):
        reach = 0.3 * (x - 0.44) / 0.06
        pen.line([(x, 0.58), (x + 0.6 * reach, 0.82), (x + 0.5 * reach, 1.08)], 0.06, horn)
        pen.line([(x + 0.5 * reach, 0.78), (x + 1.3 * reach, 0.98)], 0.06, horn)
    for dx, dy in ((-0.5, 0.08), (-0.3, 0.13), (-0.1, 0.07), (-0.38, -0.03), (0.05, 0.12)):
        pen.oval(dx, dy, 0.045, 0.045, paint.light)
    pen.oval(0.55, 0.57, 0.04, 0.04, BLACK)


def dog_head(pen, paint):
    """A dog's face, about 1 wide: hanging ears, a snout, the tongue out."""
    pen.oval(0, 0, 0.42, 0.44, paint.body)
    for side in (-1, 1):
        pen.oval(0.46 * side, -0.03, 0.17, 0.38, paint.shade, tilt=0.2 * side)
        pen.oval(0.18 * side, 0.12, 0.08, 0.09, BLACK)
    pen.oval(0, -0.2, 0.26, 0.24, paint.light)
    pen.oval(0, -0.1, 0.13, 0.1, BLACK)
    pen.oval(0, -0.38, 0.08, 0.13, (225, 90, 100))


def dog(pen, paint, rng):
    """Hanging ears, a snout with a black nose, a collar; standing with its tail up, or sitting."""
    wag = rng.uniform(-0.2, 0.15)
    if rng.random() < 0.35:
        pen.line([(0.3, -0.75), (0.75, -0.6), (0.85 + wag / 2, -0.3)], 0.14, paint.body)
        sitting(pen, paint)
        pen.line([(-0.32, -0.12), (0.32, -0.12)], 0.13, paint.accent)
        dog_head(pen.at(rng.uniform(-0.15, 0.15), 0.38, 1.0), paint)
    else:
        pen.line([(-0.6, 0.05), (-0.82, 0.3), (-0.85 + wag, 0.68)], 0.13, paint.body)
        legs(pen, rng, paint.body, paint.shade, (-0.5, 0.3), -0.2, 0.19)
        pen.oval(-0.1, -0.12, 0.6, 0.3, paint.body)
        pen.shape([(0.1, 0.1), (0.3, 0.55), (0.65, 0.4), (0.48, -0.2)], paint.body)
        pen.oval(0.75, 0.3, 0.27, 0.15, paint.light)
        pen.oval(0.5, 0.42, 0.3, 0.28, paint.body)
        pen.oval(0.98, 0.36, 0.08, 0.07, BLACK)
        pen.oval(0.6, 0.5, 0.06, 0.06, BLACK)
        pen.oval(0.3, 0.28, 0.13, 0.3, paint.shade, tilt=-0.15)
        pen.line([(0.2, 0.12), (0.56, 0.0)], 0.09, paint.accent)


def frog(pen, paint, rng):
    """Squatting, face to us: eyes on top of the head, a wide mouth, folded legs."""
    knee = rng.uniform(0.7, 0.9)
    for side in (-1, 1):
        pen.oval(knee * side, -0.42, 0.3, 0.4, paint.shade, tilt=0.5 * side)
        pen.shape([(0.55 * side, -0.7), (1.05 * side, -0.92), (0.45 * side, -0.95)], paint.shade)
    pen.oval(0, -0.3, 0.66, 0.56, paint.body)
    pen.oval(0, -0.5, 0.45, 0.36, paint.light)
    pen.oval(0, 0.1, 0.64, 0.38, paint.body)
    for side in (-1, 1):
        pen.line([(0.4 * side, -0.4), (0.36 * side, -0.92)], 0.14, paint.body)
        pen.oval(0.4 * side, 0.46, 0.24, 0.24, paint.body)
        pen.oval(0.4 * side, 0.5, 0.16, 0.16, (240, 230, 150))
        pen.oval(0.4 * side, 0.5, 0.11, 0.07, BLACK)
    pen.line([(-0.5, 0.1), (-0.25, -0.04), (0.25, -0.04), (0.5, 0.1)], 0.06, BLACK)


def horse(pen, paint, rng):
    """Long legs, a strong neck with a mane, a long tail."""
    sway = rng.uniform(-0.15, 0.1)
    mane = mix(paint.accent, BLACK, 0.6)
    pen.shape([(-0.62, 0.22), (-0.95 + sway, 0.05), (-0.98 + sway, -0.6), (-0.7, 0.0)], mane)
    legs(pen, rng, paint.body, paint.shade, (-0.55, 0.3), -0.1, 0.15)
    pen.oval(-0.13, 0.03, 0.6, 0.3, paint.body)
    pen.shape([(0.05, 0.2), (0.4, 0.85), (0.68, 0.7), (0.5, -0.1)], paint.body)
    pen.shape([(0.45, 0.88), (0.7, 0.8), (1.02, 0.4), (0.88, 0.28), (0.5, 0.52)], paint.body)
    pen.shape([(0.47, 0.82), (0.6, 0.82), (0.58, 1.02)], paint.body)
    pen.shape([(0.0, 0.3), (0.32, 0.9), (0.55, 0.92), (0.4, 0.7), (0.2, 0.2)], mane)
    pen.oval(0.67, 0.68, 0.05, 0.05, BLACK)


def ship(pen, paint, rng):
    """A hull in the water, with sails or with decks and a funnel."""
    if rng.random() < 0.45:
        pen.line([(0.0, -0.4), (0.0, 1.0)], 0.07, (90, 65, 45))
        pen.shape([(-0.06, 0.98), (-0.06, -0.25), (-0.8, -0.25)], paint.light)
        pen.shape([(0.08, 0.8), (0.08, -0.25), (0.65, -0.25)], paint.accent)
    else:
        deck = rng.uniform(-0.7, -0.4)
        pen.shape([(0.05, 0.3), (0.05, 0.75), (-0.22, 0.75), (-0.22, 0.3)], paint.accent)
        pen.line([(0.4, 0.0), (0.4, 0.85)], 0.05, BLACK)
        pen.shape([(deck, -0.4), (deck, 0.08), (0.6, 0.08), (0.6, -0.4)], WHITE)
        pen.shape([(deck + 0.15, 0.08), (deck + 0.15, 0.36), (0.35, 0.36), (0.35, 0.08)], WHITE)
        pen.line([(deck + 0.1, -0.1), (0.5, -0.1)], 0.08, (70, 90, 120))
        pen.line([(deck + 0.2, 0.22), (0.3, 0.22)], 0.07, (70, 90, 120))
    pen.shape([(-0.95, -0.28), (1.05, -0.22), (0.72, -0.8), (-0.8, -0.8)], paint.body)
    pen.shape([(-0.87, -0.62), (0.83, -0.62), (0.72, -0.8), (-0.8, -0.8)], paint.shade)
    pen.line([(-1.1, -0.84), (1.1, -0.84)], 0.07, (235, 245, 250))  # foam


def truck(pen, paint, rng):
    """A tall box or a tank behind a cab, three wheels."""
    if rng.random() < 0.7:
        top = rng.uniform(0.6, 0.85)
        pen.shape([(-1.0, -0.4), (-1.0, top), (0.35, top), (0.35, -0.4)], paint.light)
        pen.shape([(-1.0, top - 0.18), (-1.0, top), (0.35, top), (0.35, top - 0.18)], paint.accent)
        for x in (-0.66, -0.32, 0.02):
            pen.line([(x, -0.3), (x, top - 0.2)], 0.04, paint.shade)
    else:
        pen.oval(-0.33, 0.08, 0.7, 0.42, paint.light)
        pen.shape([(-0.95, 0.1), (0.3, 0.1), (0.25, -0.12), (-0.9, -0.12)], paint.accent)
        pen.line([(-0.33, 0.5), (-0.33, -0.35)], 0.05, paint.shade)
    pen.shape([(0.42, -0.45), (0.42, 0.4), (0.75, 0.4), (0.98, 0.02), (1.0, -0.45)], paint.body)
    pen.shape([(0.55, 0.02), (0.55, 0.28), (0.72, 0.28), (0.86, 0.02)], GLASS)
    pen.shape([(-1.0, -0.35), (1.02, -0.35), (1.02, -0.5), (-1.0, -0.5)], paint.shade)
    pen.oval(0.95, -0.24, 0.06, 0.07, (250, 235, 150))
    for x in (-0.75, -0.3, 0.68):
        pen.oval(x, -0.55, 0.21, 0.21, TYRE)
        pen.oval(x, -0.55, 0.09, 0.09, (190, 190, 195))
