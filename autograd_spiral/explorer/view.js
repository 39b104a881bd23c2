// The view: which part of the picture is in sight, and how the user moves around in it.

const READABLE = 0.58; // with a smaller scale than this, texts are too small
const NARROW = 500; // in a narrower window than this, a whole picture cannot be read
const MARGIN = 12; // around what is in sight

class View {
  constructor(svg, world) {
    Object.assign(this, { svg, world, size: { width: 1, height: 1 }, x: 0, y: 0, scale: 1 });
    this.moved = false; // whether the user has moved the picture since it was fitted
    this.listen();
  }

  place(to) {
    Object.assign(this, to);
    const at = `translate(${round(this.x)} ${round(this.y)})`;
    this.world.setAttribute('transform', `${at} scale(${this.scale.toFixed(4)})`);
  }

  /** Shows the whole, unless texts would become too small in a narrow window, or it need not be `whole`. */
  fit(whole = true) {
    const { width, height } = this.svg.getBoundingClientRect();
    if (width < NARROW) whole = false;
    const least = Math.min((width - 16) / this.size.width, (height - 12) / this.size.height);
    const scale = Math.min(1.15, whole ? least : Math.max(least, READABLE));
    const x = Math.max(8, (width - scale * this.size.width) / 2);
    const y = Math.max(4, (height - scale * this.size.height) / 2);
    this.moved = false;
    this.place({ scale, x, y });
  }

  /** Enlarges the picture by this factor; what is at the point `at` of the window stays there. */
  zoom(factor, at) {
    const { width, height } = this.svg.getBoundingClientRect();
    const [x, y] = at ?? [width / 2, height / 2];
    const scale = Math.min(4, Math.max(0.05, this.scale * factor));
    const ratio = scale / this.scale;
    this.moved = true;
    this.place({ scale, x: x - ratio * (x - this.x), y: y - ratio * (y - this.y) });
  }

  move(right, down) {
    this.moved = true;
    this.place({ x: this.x + right, y: this.y + down });
  }

  /** The point of the window at which a point of the picture is seen. */
  onScreen([x, y]) {
    return [this.x + this.scale * x, this.y + this.scale * y];
  }

  /** Puts a point of the picture at the point `at` of the window, unless an edge of the window would become empty. */
  hold([x, y], at) {
    const { width, height } = this.svg.getBoundingClientRect();
    const along = (now, wanted, window, whole) =>
      this.moved ? wanted : whole > window ? bounded(wanted, window, whole) : now;
    this.place({
      x: along(this.x, at[0] - this.scale * x, width, this.scale * this.size.width),
      y: along(this.y, at[1] - this.scale * y, height, this.scale * this.size.height),
    });
  }

  /** Brings a rectangle of the picture to the middle, in each direction in which it is not in sight. */
  reveal(rectangle) {
    this.show(rectangle, (from, long, window) => (window - long) / 2 - from);
  }

  /** Moves the picture no more than needed to show the first rectangle, and each further one that fits as well. */
  revealAll([first, ...others]) {
    const both = (a, b) => ({
      left: Math.min(a.left, b.left),
      top: Math.min(a.top, b.top),
      right: Math.max(a.right, b.right),
      bottom: Math.max(a.bottom, b.bottom),
    });
    const shown = others.reduce((sum, next) => (this.fits(both(sum, next)) ? both(sum, next) : sum), first);
    this.show(shown, (from, long, window, at) =>
      Math.max(MARGIN - from, Math.min(at, window - MARGIN - long - from)),
    );
  }

  /** Moves the picture, in each direction in which the rectangle is not in sight, to where `wanted` says. */
  show({ left, top, right, bottom }, wanted) {
    const { width, height } = this.svg.getBoundingClientRect();
    const { scale } = this;
    const along = (at, from, long, window, whole) => {
      if (at + from >= MARGIN && at + from + long <= window - MARGIN) return at;
      const begin = wanted(from, long, window, at);
      return whole > window ? bounded(begin, window, whole) : begin;
    };
    this.place({
      x: along(this.x, scale * left, scale * (right - left), width, scale * this.size.width),
      y: along(this.y, scale * top, scale * (bottom - top), height, scale * this.size.height),
    });
  }

  fits({ left, top, right, bottom }) {
    const { width, height } = this.svg.getBoundingClientRect();
    return (
      this.scale * (right - left) <= width - 2 * MARGIN && this.scale * (bottom - top) <= height - 2 * MARGIN
    );
  }

  /** Whether some of a rectangle is in sight. */
  sees({ left, top, right, bottom }) {
    const { width, height } = this.svg.getBoundingClientRect();
    const [x, y] = this.onScreen([left, top]);
    const [end, below] = this.onScreen([right, bottom]);
    return x < width && y < height && end > 0 && below > 0;
  }

  listen() {
    const { svg } = this;
    const held = new Map();
    svg.addEventListener(
      'wheel',
      event => {
        event.preventDefault();
        const box = svg.getBoundingClientRect();
        if (event.ctrlKey || event.metaKey)
          this.zoom(Math.exp(-event.deltaY / 200), [event.clientX - box.left, event.clientY - box.top]);
        else {
          this.move(event.shiftKey ? -event.deltaY : -event.deltaX, event.shiftKey ? 0 : -event.deltaY);
        }
      },
      { passive: false },
    );
    svg.addEventListener('pointerdown', event => {
      if (event.button) return;
      held.set(event.pointerId, [event.clientX, event.clientY]);
    });
    svg.addEventListener('pointermove', event => {
      if (!held.has(event.pointerId)) return;
      const [x, y] = held.get(event.pointerId);
      const others = [...held].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      if (
        !others.length &&
        Math.hypot(event.clientX - x, event.clientY - y) < 4 &&
        !svg.hasPointerCapture(event.pointerId)
      )
        return;
      svg.setPointerCapture(event.pointerId); // from now on, this is not a click
      if (others.length) {
        const before = Math.hypot(x - others[0][0], y - others[0][1]);
        const after = Math.hypot(event.clientX - others[0][0], event.clientY - others[0][1]);
        const box = svg.getBoundingClientRect();
        this.zoom(after / Math.max(before, 1), [
          (event.clientX + others[0][0]) / 2 - box.left,
          (event.clientY + others[0][1]) / 2 - box.top,
        ]);
      } else {
        this.move(event.clientX - x, event.clientY - y);
      }
      held.set(event.pointerId, [event.clientX, event.clientY]);
    });
    const release = event => held.delete(event.pointerId);
    svg.addEventListener('pointerup', release);
    svg.addEventListener('pointercancel', release);
    svg.addEventListener('pointerleave', event => {
      if (!svg.hasPointerCapture(event.pointerId)) release(event);
    });
  }
}

/** Where a picture that is longer than the window may begin, so that no edge is empty. */
function bounded(at, window, whole) {
  return Math.min(8, Math.max(window - whole - 8, at));
}
