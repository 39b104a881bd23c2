// The explorer: the state of the page, and what keys, sliders, clicks and the search do to it.

const KEYS = [
  ['← →', 'one step back, one step forward'],
  ['Home End', 'before the first step, to the last one'],
  ['Space', 'play, stop'],
  ['↑ ↓', 'the box before, the box after the selected one'],
  ['Enter', 'unfold or fold the selected line or scope'],
  ['F', 'fold the scope of the selected box'],
  ['[ ]', 'the snapshot before, the snapshot after'],
  ['P', 'type the number of a point to follow, or click on the point; empty: none'],
  [', .', 'the point before, the point after'],
  ['W', 'the next warning'],
  ['/', 'search; Enter goes to the next match, Esc ends the search'],
  ['+ − 0', 'zoom in, zoom out, fit'],
  ['?', 'this list'],
  ['drag, wheel', 'move the picture; with Ctrl, the wheel zooms'],
  ['double click', 'unfold a line or a scope'],
];
const PLAY = 650; // milliseconds per step
const SEVERAL = 16; // with more operations than this, each line is one box at first
const ENOUGH = 70; // with more boxes than this, scopes are folded at first

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
      point: null,
      folded: new Set(),
      unfolded: new Set(),
      byLine: this.foldable && operations.length > SEVERAL,
      query: '',
    };
    this.advice = data.advice.map(list => {
      const found = new Map();
      for (const [box, text] of list) found.set(box, [...(found.get(box) ?? []), text]);
      return found;
    });
    const reports = {
      choose: box => this.select(box),
      point: point => this.set({ point }),
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

  /** Draws the picture again after something was folded or unfolded: `toggled`, if it is one scope or line. */
  redraw(toggled) {
    const visible = visibleOf(this.data, this.state);
    this.picture.redraw(visible, this.state.box, toggled);
    this.sequence = visible.nodes
      .map((_, k) => k)
      .filter(k => !visible.nodes[k].given)
      .sort((a, b) => visible.nodes[a].order - visible.nodes[b].order);
    this.element('time').max = this.sequence.length;
    this.element('lines').setAttribute('aria-pressed', String(this.state.byLine));
    this.element('lines').disabled = !this.foldable;
    const scopes = this.scopes();
    const { folded } = this.state;
    this.element('fold').disabled = scopes.every(scope => folded.has(scope));
    this.element('unfold').disabled = !folded.size;
    this.paint();
  }

  /** The number of visible boxes that are computed. */
  get position() {
    const { reached } = this;
    return this.sequence.filter(k => this.picture.visible.nodes[k].order <= reached).length;
  }

  /** The number of the last computed operation: `done`, or the last operation of the folded box that contains it. */
  get reached() {
    const { nodes, nodeOf } = this.picture.visible;
    const { done } = this.state;
    return done < 0 ? done : nodes[nodeOf[this.data.boxes.findIndex(box => box.order === done)]].order;
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
    const { reached } = this;
    this.picture.paint({
      done: reached,
      current: this.current,
      selected: state.box,
      found,
      values: this.values,
      moment: state.moment,
      advice,
    });
    this.panel.show({ box: state.box, moment: state.moment, done: reached, advice, point: state.point });
    this.training.show(state.moment, state.point);
    const time = this.element('time');
    time.value = at;
    const whole = at === this.sequence.length && !node?.members.includes(state.box);
    const here = node && `${node.phase}: ${capped(this.picture.describe(node), 44)}`;
    const where = !node ? 'nothing computed yet' : whole ? 'all computed' : here;
    time.setAttribute('aria-valuetext', `${at} of ${this.sequence.length}, ${where}`);
    this.element('position').textContent = `step ${at} of ${this.sequence.length} · ${where}`;
    if (data.curve.length) {
      this.element('moments').hidden = false;
      const slider = this.element('moment');
      slider.max = data.at.length - 1;
      slider.value = state.moment;
      const loss = this.training.lossAt(state.moment);
      const told = [afterUpdates(data.at[state.moment]), `loss ${loss === null ? 'not finite' : number(loss)}`];
      const text = told.join(' · ');
      slider.setAttribute('aria-valuetext', text);
      this.element('when').textContent = text;
    }
    this.element('summary').textContent = `values ↓ ${this.panel.heading.textContent}`;
    const warnings = this.element('warnings');
    warnings.hidden = !advice.size;
    warnings.textContent = `⚠ ${advice.size} warning${advice.size === 1 ? '' : 's'}`;
    this.paintSource();
  }

  /** Selects the next box that has a warning. */
  warn() {
    const warned = [...this.advice[this.state.moment].keys()].sort((a, b) => a - b);
    const next = warned.find(box => box > this.state.box) ?? warned[0];
    if (next === undefined) return;
    this.uncover(next);
    this.select(next);
  }

  select(box) {
    this.set({ box });
    this.picture.reveal(box);
  }

  /** Goes to a position in the computation, and selects what is computed there. */
  go(position) {
    const at = Math.max(0, Math.min(this.sequence.length, position));
    if (at === this.position) return; // there is nothing before the start or after the end
    const node = this.picture.visible.nodes[this.sequence[at - 1]];
    this.state.done = node ? node.order : -1;
    if (node) this.state.box = node.main;
    this.paint();
    if (node) this.picture.reveal(node.main);
  }

  /** Plays the computation step by step, or stops. */
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

  /** Selects the visible box that comes `by` boxes after the selected one. */
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
    this.redraw({ path });
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
    this.redraw({ line });
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
    const { reached } = this;
    const { line } = boxes[this.state.box];
    const done = new Set(
      boxes.filter(box => box.order >= 0 && box.order <= reached && box.printed).map(box => box.line),
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

  /** Marks the boxes in which the text is found; the selection stays. */
  search(query) {
    this.state.query = query;
    this.hit = -1; // the number of the found box that Enter selected
    const { size } = this.found(query);
    this.element('found').textContent = query.trim() ? `${size} found${size ? ': Enter' : ''}` : '';
    this.paint();
  }

  /** Selects the first box that was found, then the next ones. */
  searchNext() {
    const { query } = this.state;
    const hits = [...this.found(query)];
    const named = hits.filter(i => this.data.boxes[i].name.toLowerCase() === query.trim().toLowerCase());
    const order = [...named, ...hits.filter(i => !named.includes(i))];
    if (!hits.length) return;
    this.hit = (this.hit + 1) % order.length;
    this.uncover(order[this.hit]);
    this.element('found').textContent = `${this.hit + 1} of ${hits.length}`;
    this.select(order[this.hit]);
  }

  endSearch() {
    this.element('query').value = '';
    this.search('');
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
    on('summary', () => this.element('panel').scrollIntoView());
    on('warnings', () => this.warn());
    on('query', event => this.search(event.target.value), 'input');
    on(
      'search',
      event => {
        event.preventDefault();
        this.searchNext();
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
    // [open]: a button of a dialog that was just closed keeps the focus until the next frame.
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('dialog[open]')) return;
    if (event.key === 'Escape') {
      if (!event.target.matches('#point')) this.endSearch();
      if (event.target.matches('input')) event.target.blur();
      return;
    }
    if (event.key === 'Enter' && event.target.matches('#point')) event.target.blur();
    if (event.target.matches('input[type=search], input[type=number]')) return;
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
      p: () => this.panel.follow(),
      ',': () => this.panel.step(-1),
      '.': () => this.panel.step(1),
      '<': () => this.panel.step(-1),
      '>': () => this.panel.step(1),
      w: () => this.warn(),
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
  window.explorer = page; // to be looked at from the console
})();
