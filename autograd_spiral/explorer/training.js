// The training: the loss curve, on which the user chooses a moment, and the regions of classes in the plane.

// The regions and the points of up to eight classes, based on the colour-blind-safe palette of Okabe and Ito.
const FILLS = {
  dark: [
    [18, 58, 88, 255],
    [85, 51, 10, 255],
    [13, 68, 52, 255],
    [75, 42, 65, 255],
    [77, 67, 16, 255],
    [28, 74, 94, 255],
    [60, 60, 60, 255],
    [74, 74, 26, 255],
  ],
  light: [
    [207, 230, 247, 255],
    [251, 227, 192, 255],
    [201, 236, 221, 255],
    [241, 217, 230, 255],
    [251, 240, 196, 255],
    [217, 240, 251, 255],
    [226, 226, 226, 255],
    [251, 250, 200, 255],
  ],
};
const INKS = {
  dark: ['#6fc1ff', '#ffb45e', '#5fe0b4', '#f0a6d0', '#ffd84d', '#9fe0ff', '#c0c0c0', '#f6f27a'],
  light: ['#005a91', '#9a4d00', '#00664a', '#8f3a76', '#7a5c00', '#0a6a8c', '#4d4d4d', '#6b6800'],
};

class TrainingView {
  constructor(place, data, values, { choose, point }) {
    Object.assign(this, { data, values, report: { choose, point } });
    this.dark = matchMedia('screen and (prefers-color-scheme: dark)');
    place.hidden = !data.curve.length;
    if (place.hidden) return;
    if (data.regions) {
      this.canvas = make('canvas', {
        width: 320,
        height: 320,
        role: 'img',
        click: event => this.pick(event),
        pointermove: event => this.hover(event),
      });
      place.append(
        make(
          'figure',
          { class: 'regions' },
          this.canvas,
          (this.caption = make('figcaption', { 'aria-live': 'polite' })),
        ),
      );
    }
    this.curve = make('svg:svg', {
      viewBox: '0 0 400 120',
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': 'loss curve over the updates, on a logarithmic axis; a click chooses a snapshot',
      click: event => this.seek(event),
    });
    place.append(
      make(
        'figure',
        { class: 'curve' },
        (this.levels = make('p', { class: 'axis levels' })),
        this.curve,
        (this.axis = make('p', { class: 'axis' })),
        (this.says = make('p', { class: 'says' })),
      ),
    );
    this.drawCurve();
  }

  x(step) {
    return 6 + (388 * Math.log1p(step)) / Math.log1p(Math.max(1, this.data.at.at(-1)));
  }

  y(loss) {
    return 112 - (104 * (loss - this.low)) / (this.high - this.low || 1);
  }

  drawCurve() {
    const { curve, steepest, at } = this.data;
    const finite = curve.filter(([, loss]) => loss !== null);
    this.low = Math.min(0, ...finite.map(([, loss]) => loss));
    this.high = Math.max(this.low, ...finite.map(([, loss]) => loss));
    const d = finite
      .map(([step, loss], i) => `${i ? 'L' : 'M'}${this.x(step).toFixed(1)} ${this.y(loss).toFixed(1)}`)
      .join('');
    this.mark = make('svg:path', { class: 'mark' });
    this.curve.append(
      make('svg:path', { class: 'loss', d }),
      make('svg:path', { class: 'snapshots', d: at.map(step => `M${this.x(step).toFixed(1)} 116v4`).join('') }),
      this.mark,
    );
    const spans = (...texts) => texts.map(text => make('span', {}, text));
    this.levels.replaceChildren(...spans(number(this.high, 3), 'loss', number(this.low, 3)));
    this.axis.replaceChildren(...spans('update 0', 'logarithmic scale', at.at(-1).toLocaleString('en')));
    if (!steepest) return;
    const [update, fall, window] = steepest;
    const moment = this.nearest(update);
    const near = `near update ${update.toLocaleString('en')}`;
    const by = `by ${number(fall, 2)} per update`;
    this.says.replaceChildren(
      make('span', {}, `falls fastest ${near}`),
      make(
        'button',
        {
          type: 'button',
          class: 'chip',
          title: `${near}, ${by}, over ${window} updates, ignoring spikes: goes to the snapshot there`,
          click: () => this.report.choose(moment),
        },
        `see it ${afterUpdates(at[moment])}`,
      ),
      make('span', {}, by), // wrapped out of sight if there is no room
    );
  }

  nearest(step) {
    return this.data.at.reduce(
      (best, at, k) => (Math.abs(at - step) < Math.abs(this.data.at[best] - step) ? k : best),
      0,
    );
  }

  lossAt(moment) {
    const { curve, at } = this.data;
    return curve.find(([update]) => update === at[moment])[1]; // each snapshot is on the curve
  }

  seek(event) {
    const box = this.curve.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * 400 - 6) / 388;
    const step = Math.expm1(Math.max(0, Math.min(1, share)) * Math.log1p(Math.max(1, this.data.at.at(-1))));
    const distance = k => Math.abs(Math.log1p(this.data.at[k]) - Math.log1p(step));
    this.report.choose(this.data.at.reduce((best, _, k) => (distance(k) < distance(best) ? k : best), 0));
  }

  show(moment, point) {
    const shown = [moment, point, this.dark.matches].join(' ');
    if (!this.curve || shown === this.shown) return;
    this.shown = shown;
    const step = this.data.at[moment];
    const loss = this.lossAt(moment);
    this.mark.setAttribute(
      'd',
      loss === null
        ? ''
        : `M${this.x(step).toFixed(1)} 0V120M${(this.x(step) - 4).toFixed(1)} ${this.y(loss).toFixed(1)}h8`,
    );
    if (this.canvas) this.drawRegions(moment, point);
  }

  drawRegions(moment, chosen) {
    const { points, classes, bounds } = this.data.regions;
    const grid = this.values.regions(moment);
    const side = Math.round(Math.sqrt(grid.length));
    const pen = this.canvas.getContext('2d');
    const dark = this.dark.matches;
    const size = this.canvas.width;
    const cell = size / side;
    const fills = FILLS[dark ? 'dark' : 'light'];
    const inks = INKS[dark ? 'dark' : 'light'];
    const image = new ImageData(side, side);
    const small = document.createElement('canvas');
    grid.forEach((found, i) => image.data.set(fills[found % fills.length], 4 * i));
    small.width = small.height = side;
    small.getContext('2d').putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, size, size);
    pen.strokeStyle = dark ? '#d0d0d0' : '#404040';
    pen.lineWidth = 1;
    pen.beginPath();
    for (let i = 0; i < grid.length; i++) {
      const c = i % side;
      const r = Math.floor(i / side);
      if (c + 1 < side && grid[i] !== grid[i + 1]) {
        pen.moveTo((c + 1) * cell, r * cell);
        pen.lineTo((c + 1) * cell, (r + 1) * cell);
      }
      if (r + 1 < side && grid[i] !== grid[i + side]) {
        pen.moveTo(c * cell, (r + 1) * cell);
        pen.lineTo((c + 1) * cell, (r + 1) * cell);
      }
    }
    pen.stroke();
    const [[left, right], [bottom, top]] = bounds;
    this.where = points.map(([x, y]) => [((x - left) / (right - left)) * size, ((top - y) / (top - bottom)) * size]);
    this.where.forEach(([x, y], i) => {
      pen.beginPath();
      marker(pen, classes[i], x, y, 4);
      pen.fillStyle = inks[classes[i] % inks.length];
      pen.fill();
      pen.strokeStyle = dark ? '#000' : '#fff';
      pen.stroke();
    });
    if (chosen !== null) {
      const [x, y] = this.where[chosen];
      pen.beginPath();
      pen.arc(x, y, 9, 0, 7);
      pen.lineWidth = 2.5;
      pen.strokeStyle = dark ? '#fff' : '#000';
      pen.stroke();
    }
    const count = Math.max(...classes) + 1;
    const share = [...Array(count).keys()].map(k =>
      Math.round((100 * grid.filter(found => found === k).length) / grid.length),
    );
    const names = share.map((percent, k) => `class ${k}: area ${percent}%`);
    this.canvas.setAttribute('aria-label', `regions of the plane: ${names.join(', ')}`);
    const within = points.reduce((sum, point, i) => sum + (this.classAt(grid, side, point) === classes[i]), 0);
    const line = (...parts) => make('span', {}, ...parts);
    const glyph = k => {
      const colours = `color: ${inks[k % inks.length]}; background: rgb(${fills[k % fills.length].slice(0, 3).join(' ')})`;
      return make('i', { class: 'glyph', style: colours }, '●■▲◆+×★⬢'[k % 8]);
    };
    this.caption.replaceChildren(
      ...names.map((text, k) => line(glyph(k), ` ${text}`)),
      line(`points in the region of their class: ${Math.round((100 * within) / points.length)}%`),
      chosen === null
        ? line('Click a point to follow it (P).')
        : line(
            make('b', {}, `point ${chosen}`),
            `: class ${classes[chosen]}, in the region of class ${this.classAt(grid, side, points[chosen])}`,
          ),
    );
  }

  classAt(grid, side, [x, y]) {
    const [[left, right], [bottom, top]] = this.data.regions.bounds;
    const c = Math.round(((x - left) / (right - left)) * (side - 1));
    const r = Math.round(((top - y) / (top - bottom)) * (side - 1));
    return grid[Math.max(0, Math.min(side - 1, r)) * side + Math.max(0, Math.min(side - 1, c))];
  }

  closest(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    const distance = i => Math.hypot(this.where[i][0] - x, this.where[i][1] - y);
    return this.where.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0);
  }

  pick(event) {
    this.report.point(this.closest(event));
  }

  hover(event) {
    this.canvas.title = `point ${this.closest(event)}`;
  }
}

/** The name of the moment after `n` updates in texts. */
function afterUpdates(n) {
  return `after ${n.toLocaleString('en')} update${n === 1 ? '' : 's'}`;
}

/** Adds the mark of a class to the path: no two of the first eight have the same shape. */
function marker(pen, kind, x, y, r) {
  const polygon = (corners, turn, inner = 1) => {
    const n = inner === 1 ? corners : 2 * corners;
    for (let i = 0; i < n; i++) {
      const angle = turn + (2 * Math.PI * i) / n;
      const radius = (i % 2 && inner !== 1 ? inner : 1) * r * 1.2;
      pen[i ? 'lineTo' : 'moveTo'](x + radius * Math.sin(angle), y - radius * Math.cos(angle));
    }
    pen.closePath();
  };
  const shapes = [
    () => pen.arc(x, y, r, 0, 7),
    () => pen.rect(x - r * 0.85, y - r * 0.85, 1.7 * r, 1.7 * r),
    () => polygon(3, 0),
    () => polygon(4, 0),
    () => polygon(4, 0, 0.35),
    () => polygon(4, Math.PI / 4, 0.35),
    () => polygon(5, 0, 0.45),
    () => polygon(6, 0),
  ];
  shapes[kind % shapes.length]();
}
