"""Scenes to put an object in. No scene belongs to one class alone."""

from labutils.data.sample.pen import BLACK, SIDE, WHITE, mix, pick, vary


def bands(canvas, top, bottom, colour, other):
    """Fill the canvas from row ``top`` to ``bottom``, from one colour to the other."""
    steps = 6
    for step in range(steps):
        y0 = top + (bottom - top) * step // steps
        canvas.rectangle([0, y0, SIDE, bottom], fill=mix(colour, other, step / (steps - 1)))


def blobs(canvas, rng, colour, count, rows, size):
    """Soft roundish spots of about one colour: clouds, bushes, pebbles."""
    for _ in range(count):
        x, y = rng.integers(0, SIDE), rng.integers(*rows)
        w, h = rng.integers(size // 2, size + 1), rng.integers(size // 3, size // 1.5 + 1)
        canvas.ellipse([x - w, y - h, x + w, y + h], fill=vary(rng, colour, 14))


def strokes(canvas, rng, colour, count, rows, dx, dy):
    """Short lines of about one colour: grass, waves, cracks."""
    for _ in range(count):
        x, y = rng.integers(0, SIDE), rng.integers(*rows)
        w, h = rng.integers(-dx, dx + 1), rng.integers(-dy, dy + 1)
        canvas.line([x - w, y - h, x + w, y + h], fill=vary(rng, colour, 18), width=2)


def some_sky(canvas, rng, bottom):
    """Blue, gray or evening sky with clouds."""
    blue = pick(rng, [(105, 165, 230), (150, 195, 235), (175, 180, 190), (235, 180, 140),
                      (70, 90, 140)])  # fmt: skip
    blue = vary(rng, blue)
    bands(canvas, 0, bottom, blue, mix(blue, WHITE, 0.45))
    blobs(canvas, rng, mix(blue, WHITE, 0.7), rng.integers(0, 5), (0, bottom), 16)


def sky(canvas, rng):
    """Nothing but sky."""
    some_sky(canvas, rng, SIDE)


def water(canvas, rng):
    """Sky over the open sea."""
    horizon = rng.integers(20, 62)
    some_sky(canvas, rng, horizon)
    sea = vary(rng, pick(rng, [(40, 95, 150), (60, 130, 150), (70, 95, 105), (90, 140, 120)]))
    bands(canvas, horizon, SIDE, mix(sea, WHITE, 0.2), sea)
    strokes(canvas, rng, mix(sea, WHITE, 0.35), 22, (horizon, SIDE), 9, 0)


def shore(canvas, rng):
    """Sky, a strip of sea, sand."""
    horizon = rng.integers(12, 45)
    beach = horizon + rng.integers(8, 30)
    some_sky(canvas, rng, horizon)
    sea = vary(rng, (60, 125, 160))
    bands(canvas, horizon, beach, sea, mix(sea, WHITE, 0.2))
    sand = vary(rng, pick(rng, [(220, 200, 155), (190, 170, 130), (160, 155, 150)]))
    bands(canvas, beach, SIDE, sand, mix(sand, BLACK, 0.2))
    blobs(canvas, rng, mix(sand, BLACK, 0.3), 8, (beach, SIDE), 4)


def river(canvas, rng):
    """Trees on the far bank, their colour in the water."""
    bank = rng.integers(18, 62)
    some_sky(canvas, rng, bank)
    leaves = vary(rng, pick(rng, [(60, 105, 55), (130, 125, 60), (90, 90, 75)]))
    blobs(canvas, rng, leaves, 9, (bank - 10, bank), 15)
    stream = vary(rng, pick(rng, [(85, 125, 140), (75, 105, 85), (120, 120, 100)]))
    bands(canvas, bank, SIDE, mix(stream, leaves, 0.6), stream)
    strokes(canvas, rng, mix(stream, WHITE, 0.3), 16, (bank, SIDE), 8, 0)


def field(canvas, rng):
    """Sky and bushes over grass, stubble, sand or snow."""
    horizon = rng.integers(15, 62)
    some_sky(canvas, rng, horizon)
    ground = pick(rng, [(95, 150, 65), (125, 160, 75), (170, 160, 95), (215, 200, 155),
                        (230, 235, 240)])  # fmt: skip
    ground = vary(rng, ground)
    blobs(canvas, rng, mix(ground, (40, 80, 50), 0.6), 6, (horizon - 8, horizon + 2), 14)
    bands(canvas, horizon, SIDE, mix(ground, WHITE, 0.15), mix(ground, BLACK, 0.15))
    strokes(canvas, rng, mix(ground, BLACK, 0.3), 22, (horizon, SIDE), 1, 6)


def forest(canvas, rng):
    """Leaves and trunks."""
    leaves = vary(rng, pick(rng, [(50, 95, 55), (80, 115, 50), (150, 110, 50), (40, 70, 70)]))
    canvas.rectangle([0, 0, SIDE, SIDE], fill=leaves)
    blobs(canvas, rng, mix(leaves, BLACK, 0.25), 7, (0, SIDE), 16)
    for _ in range(rng.integers(1, 5)):
        x, w = rng.integers(0, SIDE), rng.integers(3, 8)
        canvas.rectangle([x, 0, x + w, SIDE], fill=vary(rng, (85, 65, 45)))
    blobs(canvas, rng, mix(leaves, (200, 220, 100), 0.3), 7, (0, SIDE), 13)


def road(canvas, rng):
    """Houses along a road or a square."""
    horizon = rng.integers(25, 62)
    some_sky(canvas, rng, horizon)
    for _ in range(rng.integers(1, 6)):  # houses
        x, w, h = rng.integers(-10, SIDE), rng.integers(12, 34), rng.integers(8, 45)
        wall = vary(rng, pick(rng, [(170, 120, 95), (190, 185, 175), (120, 125, 135)]))
        canvas.rectangle([x, horizon - h, x + w, horizon], fill=wall)
        for y in range(horizon - h + 4, horizon - 5, 9):
            canvas.line([x + 3, y, x + w - 3, y], fill=mix(wall, BLACK, 0.4), width=3)
    asphalt = vary(rng, pick(rng, [(105, 105, 110), (140, 138, 135), (175, 160, 135)]))
    bands(canvas, horizon, SIDE, mix(asphalt, WHITE, 0.1), mix(asphalt, BLACK, 0.15))
    y = rng.integers(horizon, SIDE)
    for x in range(rng.integers(-20, 5), SIDE, 26):
        canvas.line([x, y, x + 13, y], fill=mix(asphalt, WHITE, 0.6), width=3)


def room(canvas, rng):
    """Wallpaper, a picture or a window, floorboards."""
    wall = vary(rng, pick(rng, [(215, 205, 185), (150, 170, 180), (190, 150, 140), (110, 95, 120)]))
    canvas.rectangle([0, 0, SIDE, SIDE], fill=wall)
    gap = rng.integers(7, 22)
    for x in range(rng.integers(0, gap), SIDE, gap):  # wallpaper
        canvas.line([x, 0, x, SIDE], fill=mix(wall, BLACK, 0.12), width=3)
    if rng.random() < 0.6:  # a picture, or a window
        x, y = rng.integers(0, SIDE - 20), rng.integers(0, 25)
        w, h = rng.integers(15, 40), rng.integers(12, 35)
        inside = vary(rng, pick(rng, [(150, 200, 235), (90, 110, 80), (200, 120, 80)]))
        canvas.rectangle([x, y, x + w, y + h], fill=inside, outline=(90, 65, 45), width=3)
    floor = vary(rng, pick(rng, [(150, 105, 65), (120, 115, 110), (165, 70, 65)]))
    horizon = rng.integers(45, 85)
    canvas.rectangle([0, horizon, SIDE, SIDE], fill=floor)
    for y in range(horizon + 7, SIDE, 9):
        canvas.line([0, y, SIDE, y], fill=mix(floor, BLACK, 0.2), width=2)


SCENES = {f.__name__: f for f in (sky, water, shore, river, field, forest, road, room)}
