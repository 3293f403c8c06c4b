// A view maps the image to the screen: screen = image * scale + (x, y). All functions return new views.

const MAX_SCALE = 40; // device pixels for each pixel of the image

/** Return the view that shows the whole image in the middle of a screen, with a margin around it. */
export function fitted(image, screen, margin) {
  const scale = Math.min(
    Math.max(screen.width - 2 * margin, 1) / image.width,
    Math.max(screen.height - 2 * margin, 1) / image.height,
    MAX_SCALE,
  );
  return { scale, x: (screen.width - image.width * scale) / 2, y: (screen.height - image.height * scale) / 2 };
}

/** Return the view after a zoom that leaves the point of the screen where it is. The smallest scale is half of `fit`'s. */
export function zoomed(view, factor, [x, y], fit) {
  const scale = Math.min(Math.max(view.scale * factor, fit.scale / 2), MAX_SCALE);
  const ratio = scale / view.scale;
  return { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

/** Return the view moved by pixels of the screen, at most so far that the middle of the screen still shows the image. */
export function moved(view, dx, dy, image, screen) {
  const within = (value, size, whole) => Math.min(Math.max(value, whole / 2 - size * view.scale), whole / 2);
  return {
    scale: view.scale,
    x: within(view.x + dx, image.width, screen.width),
    y: within(view.y + dy, image.height, screen.height),
  };
}

/** Return the point of the image at a point of the screen. */
export function toImage(view, [x, y]) {
  return [(x - view.x) / view.scale, (y - view.y) / view.scale];
}

/** Return the point of the screen at a point of the image. */
export function toScreen(view, [x, y]) {
  return [x * view.scale + view.x, y * view.scale + view.y];
}

/** Return the part of the image that a screen shows, larger by `margin` of the screen on each side: [x0, y0, x1, y1]. */
export function visible(view, image, screen, margin = 0) {
  const [x0, y0] = toImage(view, [-margin * screen.width, -margin * screen.height]);
  const [x1, y1] = toImage(view, [(1 + margin) * screen.width, (1 + margin) * screen.height]);
  return [
    Math.max(Math.floor(x0), 0),
    Math.max(Math.floor(y0), 0),
    Math.min(Math.ceil(x1), image.width),
    Math.min(Math.ceil(y1), image.height),
  ];
}
