// The explorer: the state of the page, and what keys, sliders, clicks and the search do to it.

const KEYS = [
  ['← →', 'one step back, one step forward'],
  ['Home End', 'before the first step, to the last one'],
  ['Space', 'play, stop'],
  ['↑ ↓', 'the box before, the box after the selected one'],
  ['Enter', 'unfold or fold the selected line or scope'],
  ['F', 'fold the scope of the selected box'],
  ['[ ]', 'the snapshot before, the one after'],
  ['/', 'search; Enter goes to the next one found'],
  ['+ − 0', 'zoom in, zoom out, fit'],
  ['?', 'this list'],
  ['drag, wheel', 'move the picture; with Ctrl, the wheel zooms'],
  ['double click', 'unfold a line or a scope'],
];
const PLAY = 650; // milliseconds for each step
const ENOUGH = 70; // boxes above which scopes are folded at first

class Page {
  constructor(data, values) {
    Object.assign(this, { data, values });
    const operations = data.boxes.filter(box => box.order >= 0);
    const lines = new Set(operations.map(box => box.line));
    this.foldable = lines.size < operations.length && !lines.has(0);
    this.state = {
      done: Math.max(-1, ...data.boxes.map(box => box.order)),
      box: 0,
      moment: data.at.length - 1,
      row: null,
      folded: new Set(),
      unfolded: new Set(),
      byLine: this.foldable && operations.length > 25,
      query: '',
    };
    this.advice = data.advice.map(list => {
      const found = new Map();
      for (const [box, text] of list) found.set(box, [...(found.get(box) ?? []), text]);
      return found;
    });
    const reports = {
      choose: box => this.select(box),
      point: (at, of) => this.set({ row: { at, of } }),
      foldScope: path => this.foldScope(path),
      foldLine: line => this.foldLine(line),
    };
    this.element = id => document.getElementById(id);
    this.element('title').replaceChildren('Backprop explorer: ', make('b', {}, data.title));
    this.picture = new Picture(this.element('picture'), data, reports);
    this.panel = new Panel(this.element('panel'), data, values, reports);
    this.training = new TrainingView(this.element('training'), data, values, {
      choose: moment => this.set({ moment }),
      point: reports.point,
    });
    this.drawSource();
    this.listen();
    if (visibleOf(data, this.state).nodes.length > ENOUGH) this.foldAll();
    const output = data.boxes.findIndex(box => box.kind === 'output');
    this.state.box = output >= 0 ? output : data.boxes.length - 1;
    this.redraw();
  }

  // --- the state -------------------------------------------------------------------------------------------------

  set(changes) {
    Object.assign(this.state, changes);
    this.paint();
  }

  /** Draws the picture anew, after something was folded or unfolded. */
  redraw() {
    const visible = visibleOf(this.data, this.state);
    this.picture.draw(visible);
    this.sequence = visible.nodes
      .map((_, k) => k)
      .filter(k => !visible.nodes[k].given)
      .sort((a, b) => visible.nodes[a].order - visible.nodes[b].order);
    this.element('time').max = this.sequence.length;
    this.element('lines').setAttribute('aria-pressed', String(this.state.byLine));
    this.element('lines').disabled = !this.foldable;
    this.element('fold').disabled = this.element('unfold').disabled = !this.scopes().length;
    if (!this.picture.view.moved) this.picture.view.fit(false);
    this.picture.reveal(this.state.box);
    this.paint();
  }

  /** How many of the visible boxes are computed. */
  get position() {
    return this.sequence.filter(k => this.picture.visible.nodes[k].order <= this.state.done).length;
  }

  get current() {
    return this.sequence[this.position - 1];
  }

  paint() {
    const { state, data } = this;
    const { nodes } = this.picture.visible;
    const advice = this.advice[state.moment];
    const found = this.found(state.query);
    const at = this.position;
    const node = nodes[this.current];
    this.picture.paint({
      done: state.done,
      current: this.current,
      selected: state.box,
      found,
      values: this.values,
      moment: state.moment,
      advice,
    });
    this.panel.show({ box: state.box, moment: state.moment, done: state.done, advice, row: state.row });
    this.training.show(state.moment, state.row);
    const time = this.element('time');
    time.value = at;
    const where = node ? `${node.phase}: ${capped(this.picture.describe(node), 44)}` : 'nothing computed yet';
    time.setAttribute('aria-valuetext', `${at} of ${this.sequence.length}, ${where}`);
    this.element('position').textContent = `step ${at} of ${this.sequence.length} · ${where}`;
    if (data.curve.length) {
      this.element('moments').hidden = false;
      const slider = this.element('moment');
      slider.max = data.at.length - 1;
      slider.value = state.moment;
      const loss = this.training.lossAt(state.moment);
      const told = [
        `after ${data.at[state.moment].toLocaleString('en')} updates`,
        `loss ${loss === null ? 'not finite' : number(loss)}`,
      ];
      if (advice.size) told.push(`⚠ ${advice.size}`);
      const text = told.join(' · ');
      slider.setAttribute('aria-valuetext', text);
      this.element('when').textContent = text;
    }
    this.paintSource();
  }

  select(box) {
    this.set({ box });
    this.picture.reveal(box);
  }

  /** Goes to a position in the computation, and selects what is computed there. */
  go(position) {
    const at = Math.max(0, Math.min(this.sequence.length, position));
    const node = this.picture.visible.nodes[this.sequence[at - 1]];
    this.state.done = node ? node.order : -1;
    if (node) this.state.box = node.main;
    this.paint();
    if (node) this.picture.reveal(node.main);
  }

  /** Goes on step by step, or stops. */
  play(on = !this.timer) {
    clearInterval(this.timer);
    this.timer = null;
    if (on) {
      if (this.position >= this.sequence.length) this.go(0);
      this.timer = setInterval(() => {
        this.go(this.position + 1);
        if (this.position >= this.sequence.length) this.play(false);
      }, PLAY);
    }
    this.element('play').textContent = this.timer ? 'Stop' : 'Play';
    this.element('play').setAttribute('aria-pressed', String(Boolean(this.timer)));
  }

  /** Selects the visible box `by` further on. */
  walk(by) {
    const { nodes, nodeOf } = this.picture.visible;
    const order = nodes.map((_, k) => k).sort((a, b) => nodes[a].order - nodes[b].order || a - b);
    const at = order.indexOf(nodeOf[this.state.box]) + by;
    if (order[at] !== undefined) {
      this.select(nodes[order[at]].main);
      this.picture.elements[order[at]].focus({ preventScroll: true });
    }
  }

  // --- folding ---------------------------------------------------------------------------------------------------

  scopes() {
    return [
      ...new Set(this.data.boxes.flatMap(box => box.scope.map((_, d) => JSON.stringify(box.scope.slice(0, d + 1))))),
    ];
  }

  /** Folds a scope, or unfolds it. */
  foldScope(path) {
    const key = JSON.stringify(path);
    if (!this.state.folded.delete(key)) this.state.folded.add(key);
    this.redraw();
    this.picture.svg.querySelectorAll('.fold').forEach(fold => {
      if (fold.dataset.scope === key) fold.focus({ preventScroll: true });
    });
  }

  foldAll() {
    this.state.folded = new Set(this.scopes());
  }

  /** Unfolds a line to its operations, or folds it again. */
  foldLine(line) {
    if (!this.state.byLine) return;
    if (!this.state.unfolded.delete(line)) this.state.unfolded.add(line);
    this.redraw();
  }

  /** Makes a box visible that is folded into a scope. */
  uncover(box) {
    const { scope } = this.data.boxes[box];
    const hiding = scope
      .map((_, d) => JSON.stringify(scope.slice(0, d + 1)))
      .filter(key => this.state.folded.delete(key));
    if (hiding.length) this.redraw();
  }

  // --- the source ------------------------------------------------------------------------------------------------

  drawSource() {
    const { source, boxOfLine } = this.data;
    const place = this.element('source');
    this.lineElements = source.map((text, i) => {
      const [, code, comment = ''] = text.match(/^(\s*\S.*?)(?: {2,}# (.*))?$/s) ?? [text, text];
      const box = boxOfLine[i + 1];
      const parts = [make('span', { class: 'code' }, code || ' '), make('span', { class: 'shape' }, comment)];
      return make(
        'li',
        {},
        box === undefined
          ? make('span', { class: 'line' }, ...parts)
          : make(
              'button',
              {
                type: 'button',
                class: 'line',
                tabindex: '-1',
                click: () => {
                  this.uncover(box);
                  this.select(box);
                },
                keydown: event => {
                  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
                  if (!by) return;
                  event.preventDefault();
                  event.stopPropagation();
                  const buttons = [...place.querySelectorAll('button.line')];
                  buttons[buttons.indexOf(event.currentTarget) + by]?.focus();
                },
              },
              ...parts,
            ),
      );
    });
    place.append(make('h2', {}, 'Printed source'), (this.listing = make('ol', {}, ...this.lineElements)));
  }

  paintSource() {
    const { boxes } = this.data;
    const { line } = boxes[this.state.box];
    const done = new Set(
      boxes.filter(box => box.order >= 0 && box.order <= this.state.done && box.printed).map(box => box.line),
    );
    const made = new Set(boxes.filter(box => box.order >= 0 && box.printed).map(box => box.line));
    this.lineElements.forEach((element, i) => {
      const here = i + 1 === line;
      const state = here ? 'here' : made.has(i + 1) && !done.has(i + 1) ? 'todo' : '';
      if (element.className !== state) element.className = state;
      const button = element.firstChild;
      if (button.tagName === 'BUTTON') {
        button.tabIndex = here ? 0 : -1;
        if (here) button.setAttribute('aria-current', 'true');
        else button.removeAttribute('aria-current');
      }
      if (here) {
        const top = element.offsetTop - this.listing.offsetTop;
        const view = this.listing;
        if (top < view.scrollTop + 16 || top > view.scrollTop + view.clientHeight - 36)
          view.scrollTop = top - view.clientHeight / 2;
      }
    });
    if (!this.listing.querySelector('button[tabindex="0"]'))
      this.listing.querySelector('button')?.setAttribute('tabindex', '0');
  }

  // --- the search ------------------------------------------------------------------------------------------------

  found(query) {
    const wanted = query.trim().toLowerCase();
    if (!wanted) return new Set();
    const hit = box =>
      [box.name, box.formula, box.operation, ...box.scope].some(text => text.toLowerCase().includes(wanted));
    const exact = new Set();
    this.data.boxes.forEach((box, i) => {
      if (hit(box)) exact.add(i);
    });
    return exact;
  }

  search(next) {
    const { query } = this.state;
    const hits = [...this.found(query)];
    const named = hits.filter(i => this.data.boxes[i].name.toLowerCase() === query.trim().toLowerCase());
    const order = [...named, ...hits.filter(i => !named.includes(i))];
    this.element('found').textContent = query.trim() ? `${hits.length} found` : '';
    if (!hits.length) return this.paint();
    const at = next ? (order.indexOf(this.state.box) + 1) % order.length : 0;
    this.uncover(order[at]);
    this.element('found').textContent = `${at + 1} of ${hits.length}`;
    return this.select(order[at]);
  }

  // --- keys and buttons ------------------------------------------------------------------------------------------

  listen() {
    const on = (id, action, event = 'click') => this.element(id).addEventListener(event, action);
    on('first', () => this.go(0));
    on('back', () => this.go(this.position - 1));
    on('next', () => this.go(this.position + 1));
    on('last', () => this.go(Infinity));
    on('play', () => this.play());
    on('time', event => this.go(Number(event.target.value)), 'input');
    on('moment', event => this.set({ moment: Number(event.target.value) }), 'input');
    on('lines', () => {
      this.state.byLine = !this.state.byLine;
      this.state.unfolded.clear();
      this.redraw();
    });
    on('fold', () => {
      this.foldAll();
      this.redraw();
    });
    on('unfold', () => {
      this.state.folded.clear();
      this.redraw();
    });
    on('smaller', () => this.picture.view.zoom(1 / 1.25));
    on('larger', () => this.picture.view.zoom(1.25));
    on('fit', () => this.picture.view.fit());
    on('help', () => this.element('keys').showModal());
    on(
      'query',
      event => {
        this.state.query = event.target.value;
        this.search(false);
      },
      'input',
    );
    on(
      'search',
      event => {
        event.preventDefault();
        this.search(true);
      },
      'submit',
    );
    const close = make('form', { method: 'dialog' }, make('button', {}, 'Close'));
    this.element('keys').append(
      make('h2', { id: 'keys-title' }, 'Keys'),
      make('dl', {}, ...KEYS.flatMap(([key, does]) => [make('dt', {}, key), make('dd', {}, does)])),
      close,
    );
    new ResizeObserver(() => {
      if (!this.picture.view.moved) {
        this.picture.view.fit(false);
        this.picture.reveal(this.state.box);
      }
    }).observe(this.element('picture'));
    this.panel.dark.addEventListener('change', () => this.paint());
    matchMedia('print').addEventListener('change', ({ matches }) => this.picture.view.fit(matches));
    document.addEventListener('keydown', event => this.key(event));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('dialog')) return;
    const typing = event.target.matches('input[type=search]');
    if (typing) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    const slider = event.target.matches('input[type=range]');
    const pressed = event.target.closest('button') && [' ', 'Enter'].includes(event.key);
    if (pressed || (slider && ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End'].includes(event.key)))
      return;
    const node = this.picture.visible.nodes[this.picture.visible.nodeOf[this.state.box]];
    const actions = {
      ArrowLeft: () => this.go(this.position - 1),
      ArrowRight: () => this.go(this.position + 1),
      Home: () => this.go(0),
      End: () => this.go(Infinity),
      ' ': () => this.play(),
      ArrowUp: () => this.walk(-1),
      ArrowDown: () => this.walk(1),
      Enter: () => this.picture.unfold(node),
      f: () => {
        const { scope } = this.data.boxes[this.state.box];
        if (scope.length) this.foldScope(node.path ?? scope);
      },
      '[': () => this.set({ moment: Math.max(0, this.state.moment - 1) }),
      ']': () => this.set({ moment: Math.min(this.data.at.length - 1, this.state.moment + 1) }),
      '/': () => this.element('query').focus(),
      '+': () => this.picture.view.zoom(1.25),
      '-': () => this.picture.view.zoom(1 / 1.25),
      0: () => this.picture.view.fit(),
      '?': () => this.element('keys').showModal(),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

(async () => {
  const began = performance.now();
  const data = JSON.parse(document.getElementById('data').textContent);
  const values = await Values.read(document.getElementById('values').textContent, data);
  const page = new Page(data, values);
  document.documentElement.dataset.ready = String(Math.round(performance.now() - began));
  window.explorer = page; // for a look from the console
})();
