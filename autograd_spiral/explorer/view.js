// The view: which part of the picture one sees, and how one moves around in it.

const READABLE = 0.58; // the scale below which texts are too small
const NARROW = 500; // a window below this shows no whole picture that one can read

class View {
  constructor(svg, world) {
    Object.assign(this, { svg, world, size: { width: 1, height: 1 }, x: 0, y: 0, scale: 1 });
    this.moved = false; // whether somebody has moved it since it was fitted
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

  /** Brings a rectangle of the picture to the middle, in each direction in which it is not in sight. */
  reveal(left, top, wide, high) {
    const { width, height } = this.svg.getBoundingClientRect();
    this.place({
      x: this.centred(this.x, this.scale * left, this.scale * wide, width, this.scale * this.size.width),
      y: this.centred(this.y, this.scale * top, this.scale * high, height, this.scale * this.size.height),
    });
  }

  /** Where the picture, `whole` long, begins when its part from `from` on, `long` long, is seen in a window. */
  centred(at, from, long, window, whole) {
    const margin = 12;
    const seen = at + from >= margin && at + from + long <= window - margin;
    const wanted = seen ? at : (window - long) / 2 - from;
    return whole > window ? Math.min(8, Math.max(window - whole - 8, wanted)) : wanted; // no empty edge
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
      svg.setPointerCapture(event.pointerId); // from here on it is no click
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
