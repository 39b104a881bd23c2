// The panel: everything about the selected value, with its gradient next to it.

/** The colour of `value` on a scale from −largest (blue) over 0 to largest (orange), as [r, g, b]. */
function colourOf(value, largest, dark) {
  if (Number.isNaN(value)) return dark ? [255, 120, 255] : [170, 0, 170];
  const share = Math.max(-1, Math.min(1, largest ? value / largest : 0));
  const zero = dark ? [34, 37, 42] : [250, 250, 250];
  const end = share > 0 ? (dark ? [255, 150, 60] : [190, 75, 0]) : dark ? [90, 180, 255] : [0, 95, 160];
  const weight = Math.abs(share) ** 0.7; // so that small values can be told apart
  return zero.map((part, i) => Math.round(part + weight * (end[i] - part)));
}

class Panel {
  constructor(place, data, values, { choose, point }) {
    Object.assign(this, { place, data, values, report: { choose, point } });
    this.dark = matchMedia('screen and (prefers-color-scheme: dark)');
    this.count = pointsOf(data);
    this.field = make('input', {
      id: 'point',
      type: 'number',
      min: 0,
      max: this.count - 1,
      placeholder: 'none',
      input: event => this.choosePoint(event.target.value === '' ? null : Number(event.target.value)),
      change: () => (this.field.value = this.point ?? ''), // if another number was typed
    });
    const button = (sign, name, by) =>
      make('button', { type: 'button', 'aria-label': name, click: () => this.step(by) }, sign);
    this.points = make(
      'div',
      { class: 'points', role: 'group', 'aria-label': 'Point of the data to follow' },
      make('label', { for: 'point' }, 'point'),
      button('‹', 'the point before', -1),
      this.field,
      button('›', 'the point after', 1),
      make('span', {}, `0 to ${(this.count - 1).toLocaleString('en')}`),
    );
    this.points.hidden = !this.count;
    this.heat = [new Heat(this, 0), new Heat(this, 1)];
    place.append(
      (this.heading = make('h2', {})),
      (this.facts = make('p', { class: 'facts' })),
      (this.advice = make('ul', { class: 'advice', 'aria-label': 'Warnings' })),
      (this.stops = make('p', { class: 'stops' })),
      this.points,
      (this.none = make('p', { class: 'none' })),
      make('div', { class: 'pair' }, this.heat[0].element, this.heat[1].element),
      (this.rule = make('dl', { class: 'rule' })),
    );
  }

  /** Shows a box at a moment, when the operations up to number `done` are computed; `point` is followed, or null. */
  show({ box, moment, done, advice, point }) {
    const { data } = this;
    const of = data.boxes[box];
    const changed = this.box !== box;
    this.box = box;
    this.point = point;
    if (document.activeElement !== this.field || point === null) this.field.value = point ?? '';
    const sign = of.kind === 'new_state' ? ' ← ' : ' = ';
    this.heading.replaceChildren(
      of.name ? make('b', {}, of.name) : '',
      of.name && of.formula ? sign : '',
      capped(spelledOut(data, box), 120) || (of.name ? '' : of.what),
    );
    const todo = of.order > done ? 'not computed yet at this step' : '';
    this.facts.textContent = [shapeText(of.shape), of.dtype, of.what, of.phase, of.scope.join(' › '), todo]
      .filter(Boolean)
      .join(' · ');
    this.advice.replaceChildren(
      ...(advice.get(box) ?? []).map(text => make('li', {}, make('span', { 'aria-hidden': 'true' }, '⚠ '), text)),
    );
    const known = this.values.facts(box, moment);
    const beside = this.beside(box);
    const later = i => data.boxes[i].order > done;
    this.none.textContent = !known
      ? 'No values: a program is valid for any values. explore(step, inputs=…) shows those of a call, ' +
        'and explore.training(step) those of a training run.'
      : later(box)
        ? 'This value is not computed yet: press → to go on.'
        : beside && later(beside.box)
          ? `The ${beside.role} is not computed yet: press → to go on.`
          : '';
    this.none.hidden = !this.none.textContent;
    this.heat[0].show(later(box) ? null : box, moment, beside ? this.roleOf(box) : 'value');
    this.heat[1].show(!beside || later(beside.box) ? null : beside.box, moment, beside?.role);
    this.sayWhereGradientsStop(box, moment, done);
    if (!changed) return;
    this.explain(box);
    this.place.scrollTop = 0;
  }

  /** The value to show next to this one: its gradient, the value that it is the gradient of, or the state before. */
  beside(box) {
    const { boxes, pairs } = this.data;
    const name = i => calledIn(this.data, i);
    for (const [of, other] of pairs) {
      if (of === box && boxes[other].phase === 'backward') return { box: other, role: this.roleOf(other) };
      if (other === box)
        return { box: of, role: boxes[box].phase === 'update' ? `${name(of)} before` : `value ${name(of)}` };
    }
    return null;
  }

  roleOf(box) {
    const { phase, name } = this.data.boxes[box];
    const of = this.data.pairs.find(([, other]) => other === box)?.[0];
    if (phase === 'backward' && of !== undefined) return `gradient of ${capped(calledIn(this.data, of), 60)}`;
    return `${{ forward: 'value', backward: 'value', update: 'after' }[phase]} ${name}`.trim();
  }

  /** Says why units that are off get no gradient, and how many: for a relu, its gradient, and the box between them. */
  sayWhereGradientsStop(box, moment, done) {
    const { boxes } = this.data;
    const mask = reluOff(boxes[box]) ? box : maskOf(this.data, box);
    this.stops.hidden = mask < 0;
    if (mask < 0) return;
    const off = `Where ${reluOff(boxes[mask])} is 0, relu is off, and the gradient stops`;
    const text = mask === box ? [off, ' here'] : [off, ' in ', this.chip(mask)];
    const known = this.point !== null && hasPoints(this.data, mask) && boxes[mask].order <= done;
    const when = this.data.at.length > 1 ? `, ${afterUpdates(this.data.at[moment])}` : '';
    const none = known ? this.values.zerosOfRow(mask, moment, this.point) : undefined;
    if (none !== undefined)
      text.push(`: ${none} of the ${boxes[mask].shape[1]} units get none from point ${this.point}${when}`);
    else if (this.point === null && hasPoints(this.data, mask))
      text.push('. Follow a point (click on one, or press P) to see for how many units.');
    this.stops.replaceChildren(...text);
  }

  // --- the point that is followed --------------------------------------------------------------------------------

  choosePoint(point) {
    this.report.point(point === null ? null : Math.max(0, Math.min(this.count - 1, Math.round(point))));
  }

  /** Follows the point that comes `by` points later. */
  step(by) {
    if (this.count) this.choosePoint(this.point === null ? (by > 0 ? 0 : this.count - 1) : this.point + by);
  }

  /** Lets the user type the number of a point. */
  follow() {
    this.field.focus();
    this.field.select();
  }

  /** Says how and from what the value is computed, and where it is used. */
  explain(box) {
    const { boxes, edges, source, pairs } = this.data;
    const of = boxes[box];
    const rows = [];
    const add = (term, ...content) => rows.push(make('dt', {}, term), make('dd', {}, ...content));
    if (of.order >= 0) {
      const left = of.name ? `${of.name} ${of.kind === 'new_state' ? '←' : '='} ` : '';
      const formula = spelledOut(this.data, box);
      add('mathematics', make('span', { class: 'maths' }, left + formula), this.where(formula));
    }
    const primal = pairs.find(([, other]) => other === box)?.[0];
    if (of.phase === 'backward' && primal !== undefined) add('gradient of', this.chip(primal));
    if (of.line && of.order >= 0)
      add('line of code', make('code', {}, source[of.line - 1].trim().replace(/ {2,}# .*$/, '')));
    const inside = boxes.map((_, i) => i).filter(i => of.line && boxes[i].line === of.line && boxes[i].order >= 0);
    if (inside.length > 1) add('in this line', ...inside.map(i => this.chip(i, i === box)));
    const args = [...new Set(argumentsOf(this.data, box))];
    if (args.length) add('computed from', ...args.map(i => this.chip(i)));
    const users = [...new Set(edges.filter(edge => edge[0] === box).map(edge => edge[1]))];
    if (users.length)
      add(
        'used by',
        ...users.slice(0, 24).map(i => this.chip(i)),
        users.length > 24 ? ` and ${users.length - 24} more` : '',
      );
    if (of.place) add('your line', make('code', {}, of.place));
    if (of.phase === 'backward' && primal !== undefined && boxes[primal].place) {
      add('gradient of your line', make('code', {}, boxes[primal].place));
    }
    this.rule.replaceChildren(...rows);
  }

  where(formula) {
    const text = whereOf(this.data, formula);
    return text ? make('small', { class: 'where' }, text) : '';
  }

  chip(i, here = false) {
    const { shape } = this.data.boxes[i];
    return make(
      'button',
      { type: 'button', class: 'chip', 'aria-current': here ? 'true' : null, click: () => this.report.choose(i) },
      capped(calledIn(this.data, i), 60),
      make('small', {}, ` ${shapeText(shape)}`),
    );
  }
}

/** One array: heat map, scale, the element under the pointer, the followed point, histogram, and facts. */
class Heat {
  constructor(panel, side) {
    this.panel = panel;
    this.canvas = make('canvas', {
      role: 'img',
      tabindex: '0',
      pointermove: event => this.point(this.under(event)),
      pointerleave: () => this.point(this.cell),
      click: event => this.choose(this.under(event)),
      keydown: event => this.key(event),
    });
    this.element = make(
      'section',
      { class: 'heat' },
      (this.title = make('h3', {})),
      (this.grid = make('div', { class: 'grid' }, this.canvas, (this.mark = make('i', { class: 'followed' })))),
      (this.table = make('table', {})),
      (this.scale = make('p', { class: 'scale' })),
      (this.readout = make('p', { class: 'readout', 'aria-live': side ? 'off' : 'polite' })),
      (this.followed = make('p', { class: 'point' })),
      (this.bars = make('svg:svg', {
        class: 'histogram',
        viewBox: '0 0 200 34',
        preserveAspectRatio: 'none',
        role: 'img',
      })),
      (this.ends = make('p', { class: 'ends' })),
      (this.list = make('dl', { class: 'about' })),
    );
    this.cell = null;
  }

  show(box, moment, role) {
    const { values, data } = this.panel;
    const facts = box === null ? null : values.facts(box, moment);
    this.element.hidden = !facts;
    if (!facts) return;
    if (box !== this.box || this.panel.point !== this.shownPoint) this.cell = null;
    this.shownPoint = this.panel.point;
    this.box = box;
    this.moment = moment;
    const [rows, columns, rowStep, columnStep] = data.samples[box];
    this.kept = {
      rows,
      columns,
      rowStep,
      columnStep,
      down: Math.ceil(rows / rowStep),
      across: Math.ceil(columns / columnStep),
    };
    this.elements = values.elements(box, moment);
    this.title.textContent = role;
    this.largest = Math.max(Math.abs(facts.least), Math.abs(facts.largest)) || 0;
    this.draw();
    this.about(facts, values.bars(box, moment));
    this.point(this.cell);
    this.showPoint();
  }

  draw() {
    const { down, across, rows, columns, rowStep, columnStep } = this.kept;
    const dark = this.panel.dark.matches;
    const few = columns <= 4 && rows <= 8;
    const single = rows * columns === 1;
    this.grid.hidden = few;
    this.table.hidden = !few || single;
    this.scale.hidden = this.readout.hidden = single;
    this.element.classList.toggle('single', single);
    if (few) this.drawTable(dark);
    else {
      const image = new ImageData(across, down);
      for (let i = 0; i < this.elements.length; i++)
        image.data.set([...colourOf(this.elements[i], this.largest, dark), 255], 4 * i);
      this.canvas.width = across;
      this.canvas.height = down;
      this.canvas.getContext('2d').putImageData(image, 0, 0);
      const cell = Math.max(1, Math.min(12, Math.floor(190 / across)));
      this.canvas.style.height = `${Math.min(150, Math.max(18, down * cell))}px`;
    }
    const left = [];
    if (rowStep > 1) left.push(`every ${ordinal(rowStep)} of ${rows.toLocaleString('en')} rows`);
    if (columnStep > 1) left.push(`every ${ordinal(columnStep)} of ${columns.toLocaleString('en')} columns`);
    const sampled = left.length ? `sampled: ${left.join(', ')}` : 'all elements';
    this.canvas.setAttribute(
      'aria-label',
      `heat map of ${this.title.textContent}, ${sampled}; arrow keys move between elements${hasPoints(this.panel.data, this.box) ? ', Enter follows a point' : ''}`,
    );
    const end = number(this.largest, 3);
    this.scale.replaceChildren(
      make('span', {}, this.largest ? `−${end}` : ''),
      make('i', { 'aria-hidden': 'true' }),
      make('span', {}, `0${this.largest ? '' : ' everywhere'}`),
      make('i', { class: 'positive', 'aria-hidden': 'true' }),
      make('span', {}, this.largest ? end : ''),
      make('em', {}, sampled),
    );
  }

  drawTable(dark) {
    const { down, across } = this.kept;
    this.table.replaceChildren(
      ...Array.from({ length: down }, (_, r) =>
        make(
          'tr',
          {},
          ...Array.from({ length: across }, (_, c) => {
            const value = this.elements[r * across + c];
            const colour = colourOf(value, this.largest * 2.6, dark); // pale, so that the number on it can be read
            return make('td', { style: `background: rgb(${colour.join(' ')})` }, number(value, 4));
          }),
        ),
      ),
    );
  }

  about(facts, bars) {
    const { bins } = this.panel.data;
    const width = 200 / bins;
    this.bars.replaceChildren(
      ...[...bars].map((bar, i) =>
        make('svg:rect', {
          x: i * width + 0.5,
          width: width - 1,
          y: 34 - Math.max(bar ? 1 : 0, (bar / 255) * 33),
          height: Math.max(bar ? 1 : 0, (bar / 255) * 33),
        }),
      ),
    );
    const flat = facts.least === facts.largest;
    this.bars.setAttribute(
      'aria-label',
      flat
        ? `all elements are ${number(facts.least)}`
        : `histogram from ${number(facts.least)} to ${number(facts.largest)}`,
    );
    this.bars.hidden = this.ends.hidden = this.kept.rows * this.kept.columns === 1;
    this.bars.toggleAttribute('hidden', this.kept.rows * this.kept.columns === 1);
    this.ends.replaceChildren(
      make('span', {}, number(facts.least)),
      make('span', {}, 'histogram'),
      make('span', {}, number(facts.largest)),
    );
    const size = this.kept.rows * this.kept.columns;
    const share = count =>
      count && count < size
        ? `${number((100 * count) / size, 3)}% (${count.toLocaleString('en')})`
        : count
          ? 'all'
          : 'none';
    const told =
      size === 1
        ? [['value', number(this.elements[0], 6)]]
        : [
            ['mean', number(facts.mean)],
            ['deviation', number(facts.deviation)],
            ['norm', number(facts.norm)],
            ['zeros', share(facts.zeros)],
          ];
    if (facts.nans) told.push(['NaN', share(facts.nans)]);
    if (facts.infinities) told.push(['infinite', share(facts.infinities)]);
    if (!facts.nans && !facts.infinities && size > 1) told.push(['NaN, infinite', 'none']);
    this.list.replaceChildren(...told.flatMap(([term, text]) => [make('dt', {}, term), make('dd', {}, text)]));
  }

  /** The index of a kept element in the array, as [3, 0, 7] for an array of three axes. */
  index([r, c]) {
    const { shape } = this.panel.data.boxes[this.box];
    if (!shape.length) return [];
    const found = [c * this.kept.columnStep];
    let rest = r * this.kept.rowStep;
    for (const n of shape.slice(0, -1).reverse()) {
      found.unshift(rest % n);
      rest = Math.floor(rest / n);
    }
    return found;
  }

  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const { down, across } = this.kept;
    const c = Math.floor(((event.clientX - box.left) / box.width) * across);
    const r = Math.floor(((event.clientY - box.top) / box.height) * down);
    return [Math.max(0, Math.min(down - 1, r)), Math.max(0, Math.min(across - 1, c))];
  }

  point(cell) {
    this.readout.textContent =
      cell && !this.grid.hidden
        ? `[${this.index(cell).join(', ')}] = ${number(this.elements[cell[0] * this.kept.across + cell[1]], 4)}`
        : '';
  }

  choose(cell) {
    this.cell = cell;
    this.point(cell);
    const { data, report } = this.panel;
    if (!hasPoints(data, this.box)) return;
    const point =
      data.boxes[this.box].shape.length > 1 ? cell[0] * this.kept.rowStep : cell[1] * this.kept.columnStep;
    this.shownPoint = point; // the element under the pointer stays
    report.point(point);
  }

  key(event) {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.key === 'Enter' && this.cell) this.choose(this.cell);
    else if (moves[event.key]) {
      const [r, c] = this.cell ?? [0, 0];
      const [dr, dc] = this.cell ? moves[event.key] : [0, 0];
      this.cell = [
        Math.max(0, Math.min(this.kept.down - 1, r + dr)),
        Math.max(0, Math.min(this.kept.across - 1, c + dc)),
      ];
      this.point(this.cell);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Says what this array has for the followed point, and marks it, if the array has something for each point. */
  showPoint() {
    const { point, data, values } = this.panel;
    const { box, moment, kept } = this;
    const shown = point !== null && hasPoints(data, box);
    this.followed.replaceChildren();
    this.mark.hidden = !shown;
    const { shape } = data.boxes[box];
    const flat = shape.length === 1; // its points are side by side
    const [count, step] = flat ? [kept.across, kept.columnStep] : [kept.down, kept.rowStep];
    const nearest = Math.min(count - 1, Math.round(point / step));
    this.table.querySelectorAll('tr').forEach((row, r) => {
      row.classList.toggle('followed', shown && kept.rows > 1 && r === nearest);
    });
    if (!shown) return;
    const [at, size] = [(100 * nearest) / count, 100 / count].map(share => `${share.toFixed(3)}%`);
    this.mark.setAttribute(
      'style',
      flat
        ? `left: ${at}; top: 0; bottom: 0; width: max(3px, ${size})`
        : `top: ${at}; left: 0; right: 0; height: max(3px, ${size})`,
    );
    const left = nearest * step !== point;
    const told = [this.told(point), left && `not in the sample: the mark is at point ${nearest * step}`];
    this.followed.append(make('b', {}, `point ${point}: `), told.filter(Boolean).join('; '));
  }

  /** What this array has for a point: its numbers if there are few, or how many of them are 0, or nothing. */
  told(point) {
    const { values, data } = this.panel;
    const { box, moment, kept } = this;
    const { shape } = data.boxes[box];
    if (shape.length === 1)
      return point % kept.columnStep ? '' : number(this.elements[point / kept.columnStep], 4);
    const cells = values.row(box, moment, point);
    if (cells && shape[1] <= 4 && kept.columnStep === 1) return [...cells].map(cell => number(cell, 3)).join(', ');
    const zeros = values.zerosOfRow(box, moment, point);
    return zeros === undefined ? '' : `${zeros} of ${shape[1]} are 0`;
  }
}

function ordinal(n) {
  return n % 10 === 2 && n % 100 !== 12 ? `${n}nd` : `${n}th`; // of powers of 2
}
