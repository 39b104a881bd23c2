// The picture: the visible part of the computation, with its boxes and edges as SVG.

const PHASES = ['forward', 'backward', 'update'];
const HEADINGS = { forward: 'forward ↓', backward: 'backward ↑', update: 'update' };
const MOST = 21; // columns of text in a box
const GLIDE = 240; // milliseconds that boxes take to move after folding or unfolding
const MANY = 300; // with more boxes than this, they do not glide
const FAN = 8; // if the backward pass uses a value more often, these edges are not drawn

/** The text of a line of code in the signs of formulas. */
function asFormula(code) {
  return code
    .replace(/\bnp\./g, '')
    .replace(/\.T\b/g, 'ᵀ')
    .replace(/\*\*2\b/g, '²')
    .replace(/(?<=\S) \* (?=\S)/g, ' × ')
    .replace(/(?<=\S) - (?=\S)/g, ' − ')
    .replaceAll(', keepdims=True', '')
    .replaceAll(' == ', ' = ');
}

function capped(text, most) {
  return [...text].length > most ? [...text].slice(0, most - 1).join('') + '…' : text;
}

/** The code of a line of the source without the name that it computes and without its comment. */
function codeOf(line) {
  return line
    .trim()
    .replace(/ {2,}# .*$/, '')
    .replace(/^[^=(]*? = /, '');
}

/**
 * What is visible: nodes, each for one box or for several boxes folded into it, and the edges between them.
 * `folded` has the paths of folded scopes as JSON; if `byLine`, the operations of one line of the source are one node,
 * except for the lines in `unfolded`.
 */
function visibleOf(data, { folded, byLine, unfolded }) {
  const { boxes } = data;
  const onLine = new Map();
  boxes.forEach(box => {
    if (box.line && box.order >= 0) onLine.set(box.line, (onLine.get(box.line) ?? 0) + 1);
  });
  const groups = new Map();
  boxes.forEach((box, i) => {
    const depth = box.scope.findIndex((_, d) => folded.has(JSON.stringify(box.scope.slice(0, d + 1))));
    let key = `box ${i}`;
    let path = null;
    if (depth >= 0) {
      path = box.scope.slice(0, depth + 1);
      key = `scope ${box.phase} ${JSON.stringify(path)}`;
    } else if (byLine && box.order >= 0 && onLine.get(box.line) > 1 && !unfolded.has(box.line)) {
      key = `line ${box.line}`;
    }
    if (!groups.has(key)) groups.set(key, { key, path, members: [] });
    groups.get(key).members.push(i);
  });
  const nodeOf = new Array(boxes.length);
  const nodes = [...groups.values()].map(({ key, path, members }) => {
    const main = members.findLast(i => boxes[i].printed) ?? members.at(-1);
    const box = boxes[main];
    const node = { key, members, main, path, phase: box.phase, scope: path ?? box.scope };
    node.id = path ? key : `box ${main}`;
    const orders = members.map(i => boxes[i].order);
    node.order = Math.max(...orders);
    node.begins = Math.min(...orders.filter(order => order >= 0)); // the same, folded or not
    node.given = node.order < 0;
    if (path) {
      const count = members.filter(i => boxes[i].order >= 0).length;
      node.title = path.at(-1);
      node.formula = count ? `${count} operation${count === 1 ? '' : 's'}` : `${members.length} given`;
      node.kind = 'scope';
    } else {
      node.title = box.name;
      node.formula =
        members.length > 1
          ? asFormula(codeOf(data.source[box.line - 1]))
          : byLine
            ? spelledOut(data, main)
            : spelledOut(data, main, 0);
      node.kind = box.kind;
      node.line = box.order >= 0 && onLine.get(box.line) > 1 ? box.line : 0;
    }
    return node;
  });
  nodes.sort((a, b) => a.order - b.order || a.members[0] - b.members[0]); // arguments before their users
  nodes.forEach((node, k) =>
    node.members.forEach(i => {
      nodeOf[i] = k;
    }),
  );
  const edges = new Map();
  for (const [tail, head, flow] of data.edges) {
    const [a, b] = [nodeOf[tail], nodeOf[head]];
    if (a !== b) edges.set(`${a} ${b}`, { tail: a, head: b, flow });
  }
  const pairs = data.pairs
    .map(([a, b]) => [nodeOf[a], nodeOf[b]])
    .filter(([a, b]) => a !== b && !(nodes[a].path && !nodes[b].path));
  return { nodes, edges: [...edges.values()], pairs, nodeOf };
}

/** The SVG in `place`: draws what is visible and reports clicks to `choose(box)` and `foldScope(path)`. */
class Picture {
  constructor(place, data, { choose, foldScope, foldLine }) {
    this.data = data;
    this.report = { choose, foldScope, foldLine };
    this.pen = document.createElement('canvas').getContext('2d');
    this.family = getComputedStyle(document.body).fontFamily;
    this.world = make('svg:g', {});
    this.svg = make(
      'svg:svg',
      { role: 'group', 'aria-label': 'Boxes of the computation', tabindex: '-1' },
      this.world,
    );
    place.append(this.svg);
    this.view = new View(this.svg, this.world);
    this.order = new Order();
  }

  textWidth(text, size, weight = 400) {
    this.pen.font = `${weight} ${size}px ${this.family}`;
    return this.pen.measureText(text).width;
  }

  /** Draws what is visible again. */
  draw(visible) {
    this.visible = visible;
    const { nodes, edges } = visible;
    for (const node of nodes) this.measure(node);
    const placed = layout({
      ...visible,
      phases: PHASES,
      order: this.order,
      titleWidth: name => this.textWidth(`▾ ${name}`, 12, 600) + 6,
    });
    this.placed = placed;
    this.order.add(nodes, placed.x, placed.y);
    const layers = ['frames', 'between', 'edges', 'marked', 'boxes'].map(name => make('svg:g', { class: name }));
    const [frames, between, lines, , boxes] = layers;
    this.marked = layers[3];
    for (const column of placed.columns) {
      frames.append(
        make(
          'svg:text',
          { class: `heading ${column.phase}`, x: column.x + column.width / 2, y: 14, 'text-anchor': 'middle' },
          HEADINGS[column.phase],
        ),
      );
    }
    const folded = new Set(nodes.filter(node => node.path).map(node => JSON.stringify(node.path)));
    for (const frame of placed.frames) frames.append(this.frame(frame, folded));
    const saved = edges
      .filter(edge => edge.flow === 'saved')
      .reduce((count, { tail }) => count.set(tail, (count.get(tail) ?? 0) + 1), new Map());
    const drawn = new Map();
    edges.forEach(edge => {
      if (edge.flow === 'saved' && saved.get(edge.tail) > FAN) return; // shown when one of its ends is selected
      const inside = nodes[edge.tail].phase === nodes[edge.head].phase;
      (inside ? lines : between).append(this.edge(edge, placed.curve(edge, drawn)));
    });
    this.elements = nodes.map((node, k) => this.box(node, k));
    boxes.append(...this.elements);
    this.world.replaceChildren(...layers);
    this.painted = nodes.map(() => '');
    this.view.size = placed;
  }

  /** Sets the texts of a node and its width. */
  measure(node) {
    const { data } = this;
    const box = data.boxes[node.main];
    const shape = node.path ? '' : shapeText(box.shape) + (box.dtype === 'float64' ? '' : ` ${box.dtype}`);
    const scalar = !node.path && !box.shape.some(n => n !== 1);
    node.scalar = scalar;
    const bars = !node.path && !scalar && box.shape.every(n => n);
    node.bars = bars;
    const sign = node.kind === 'new_state' ? '← ' : '= ';
    if (node.title) {
      node.first = { text: capped(node.title, MOST), strong: true };
      node.second = {
        text: node.formula ? (node.path ? '' : sign) + capped(node.formula, MOST) : box.what,
        strong: false,
      };
    } else {
      node.first = { text: capped(node.formula || box.what, MOST), strong: false };
      node.second = { text: '', strong: false };
    }
    node.aside = scalar ? '' : shape;
    const asideWidth = scalar ? 52 : this.textWidth(shape, 11);
    const firstWidth = this.textWidth(node.first.text, 13, node.first.strong ? 700 : 400);
    const secondWidth = this.textWidth(node.second.text, 12);
    node.width = node.second.text
      ? Math.max(firstWidth + 10 + asideWidth, secondWidth)
      : Math.max(firstWidth, asideWidth);
    node.width = Math.ceil(Math.max(58, node.width + 16));
  }

  frame({ scope, x, y, width, height, gutter }, foldedPaths) {
    const path = JSON.stringify(scope.path);
    const folded = foldedPaths.has(path);
    const { name } = scope;
    const sign = folded ? '▸' : '▾';
    let shown = name;
    while (this.textWidth(`${sign} ${shown}`, 12, 600) > gutter && shown.length > 1) shown = shown.slice(0, -2) + '…';
    const toggle = make(
      'svg:g',
      {
        class: 'fold',
        role: 'button',
        tabindex: '0',
        'aria-expanded': String(!folded),
        'aria-label': `scope ${name}`,
        'data-scope': path,
        click: () => this.report.foldScope(scope.path),
        keydown: event => {
          if (event.key !== 'Enter' && event.key !== ' ') return;
          event.preventDefault();
          event.stopPropagation();
          this.report.foldScope(scope.path);
        },
      },
      make('svg:title', {}, `${name}: ${folded ? 'unfold' : 'fold'}`),
      make('svg:rect', { class: 'target', x: x + 1, y: y + 1, width: gutter, height: Math.min(height - 2, 44) }),
      make('svg:text', { x: x + 6, y: y + 19 }, `${sign} ${shown}`),
    );
    return make('svg:g', {}, make('svg:rect', { class: 'frame', x, y, width, height, rx: 6 }), toggle);
  }

  edge({ flow }, { d, tip }) {
    const [x, y, turn] = tip;
    return make(
      'svg:g',
      { class: `edge ${flow}` },
      make('svg:path', { d }),
      make('svg:path', { class: 'tip', d: 'M0 0L-7 -3.4V3.4Z', transform: `translate(${x} ${y}) rotate(${turn})` }),
    );
  }

  box(node, k) {
    const { x, y } = this.placed;
    const { width } = node;
    const { height } = LAYOUT;
    const rounded = ['data', 'parameter', 'state', 'gradient'].includes(node.kind) ? 11 : 2;
    const parts = [make('svg:rect', { class: 'shape', width, height, rx: rounded })];
    if (['output', 'state'].includes(node.kind))
      parts.push(
        make('svg:rect', {
          class: 'inner',
          x: 3,
          y: 3,
          width: width - 6,
          height: height - 6,
          rx: Math.max(0, rounded - 3),
        }),
      );
    parts.push(make('svg:text', { class: node.first.strong ? 'name' : 'formula', x: 8, y: 16 }, node.first.text));
    node.asideText = make(
      'svg:text',
      {
        class: 'aside',
        x: node.second.text ? width - 8 : 8,
        y: node.second.text ? 16 : 32,
        'text-anchor': node.second.text ? 'end' : 'start',
      },
      node.aside,
    );
    parts.push(node.asideText);
    if (node.second.text) parts.push(make('svg:text', { class: 'formula', x: 8, y: 32 }, node.second.text));
    node.barPath = make('svg:path', { class: 'bars', transform: `translate(4 ${height - 1})` });
    parts.splice(1, 0, node.barPath);
    node.flag = make('svg:text', { class: 'flag', x: width - 3, y: 2, 'text-anchor': 'middle' }, '');
    parts.push(node.flag);
    return make(
      'svg:g',
      {
        class: `box ${node.kind}`,
        role: 'button',
        tabindex: '-1',
        'data-key': node.key,
        transform: `translate(${round(x[k])} ${y[k]})`,
        click: event => {
          if (event.detail === 2 && this.unfold(node)) return;
          this.report.choose(node.main);
        },
      },
      make('svg:title', {}, this.describe(node)),
      ...parts,
    );
  }

  describe(node) {
    const box = this.data.boxes[node.main];
    if (node.path) return `scope ${node.title}, folded: ${node.formula}, ${node.phase}`;
    const sign = node.kind === 'new_state' ? '←' : '=';
    return [
      node.title,
      node.title && node.formula ? sign : '',
      node.formula || (node.title ? '' : box.what),
      whereOf(this.data, node.formula),
    ]
      .filter(Boolean)
      .join(' ');
  }

  /** Unfolds a node; returns whether any boxes were folded into it. */
  unfold(node) {
    if (node.path) this.report.foldScope(node.path);
    else if (node.line) this.report.foldLine(node.line);
    return Boolean(node.path || node.line);
  }

  /**
   * Draws what is visible after something was folded or unfolded: `toggled`, { path } of a scope or { line }. It stays
   * where it was on the screen. The `selected` box stays in sight, and if there is room, so do the boxes that were
   * folded or unfolded and those that use their result.
   */
  redraw(visible, selected, toggled) {
    const first = !this.visible;
    const seen = first || this.view.sees(this.rectangle(this.visible.nodeOf[selected]));
    const from = toggled && this.view.onScreen(this.anchorOf(toggled));
    const spots = first ? null : this.spots();
    const focused = this.elements?.includes(document.activeElement);
    this.draw(visible);
    if (!this.view.moved) this.view.fit(false);
    if (toggled) this.view.hold(this.anchorOf(toggled), from);
    const chosen = this.rectangle(visible.nodeOf[selected]);
    const others = toggled ? this.surroundings(toggled) : [];
    this.view.revealAll(seen || !toggled ? [chosen, ...others] : [...others, chosen]);
    if (focused) this.elements[visible.nodeOf[selected]].focus({ preventScroll: true });
    if (spots) this.glide(spots);
  }

  /** The point of a scope or a line that stays on the screen: the corner of the frame, or the box of the result. */
  anchorOf({ path, line }) {
    if (path) {
      const { x, y } = this.placed.frames.find(({ scope }) => JSON.stringify(scope.path) === JSON.stringify(path));
      return [x, y];
    }
    const result = this.data.boxes.findLastIndex(box => box.line === line && box.printed);
    const { left, right, top } = this.rectangle(this.visible.nodeOf[result]);
    return [(left + right) / 2, top];
  }

  /** The rectangles of a scope or a line, one for each phase, and then of the boxes that use the results. */
  surroundings({ path, line }) {
    const { nodes, nodeOf, edges } = this.visible;
    const inside = ({ scope, ...box }) =>
      path ? path.every((name, d) => scope[d] === name) : box.line === line && box.order >= 0;
    const within = new Set(nodeOf.filter((_, i) => inside(this.data.boxes[i])));
    const around = PHASES.map(phase => [...within].filter(k => nodes[k].phase === phase)).filter(part => part.length);
    const users = edges.filter(
      ({ tail, head }) => within.has(tail) && !within.has(head) && nodes[tail].phase === nodes[head].phase,
    );
    return [...around, ...users.map(({ head }) => [head])].map(part => {
      const all = part.map(k => this.rectangle(k));
      return {
        left: Math.min(...all.map(one => one.left)),
        top: Math.min(...all.map(one => one.top)),
        right: Math.max(...all.map(one => one.right)),
        bottom: Math.max(...all.map(one => one.bottom)),
      };
    });
  }

  rectangle(k) {
    const { x, y } = this.placed;
    return { left: x[k], top: y[k], right: x[k] + this.visible.nodes[k].width, bottom: y[k] + LAYOUT.height };
  }

  /** Where each box of the data, or the node that it is folded into, is on the screen. */
  spots() {
    const { x, y } = this.placed;
    return this.visible.nodeOf.map(k => this.view.onScreen([x[k], y[k]]));
  }

  /** Moves boxes from their old places on the screen to the new ones; unfolded boxes come out of the folded box. */
  glide(spots) {
    const { nodes } = this.visible;
    if (nodes.length > MANY || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    const { x, y } = this.placed;
    const { view } = this;
    const timing = { duration: GLIDE, easing: 'ease-out' };
    this.elements.forEach((element, k) => {
      const [left, top] = spots[nodes[k].main];
      const from = `translate(${(left - view.x) / view.scale}px, ${(top - view.y) / view.scale}px)`;
      element.animate([{ transform: from }, { transform: `translate(${x[k]}px, ${y[k]}px)` }], timing);
    });
    for (const layer of this.world.children)
      if (!layer.classList.contains('boxes')) layer.animate([{ opacity: 0 }, { opacity: 1 }], timing);
  }

  /** Brings the node of this box into sight. */
  reveal(box) {
    this.view.reveal(this.rectangle(this.visible.nodeOf[box]));
  }

  /** Shows the state of every box: computed or not, current, selected, found by the search. */
  paint({ done, current, selected, found, values, moment, advice }) {
    const { nodes, nodeOf } = this.visible;
    const chosen = nodeOf[selected];
    nodes.forEach((node, k) => {
      const todo = !node.given && node.order > done;
      const warned = node.members.some(i => advice.has(i));
      const state = [
        todo && 'todo',
        k === current && 'current',
        k === chosen && 'selected',
        node.members.some(i => found.has(i)) && 'found',
        warned && 'warned',
      ]
        .filter(Boolean)
        .join(' ');
      const known = todo ? 'not computed yet' : node.given ? 'given' : 'computed';
      const look = `${state} ${moment}`;
      if (this.painted[k] === look) return;
      this.painted[k] = look;
      const element = this.elements[k];
      element.setAttribute('class', `box ${node.kind} ${state}`);
      element.setAttribute('tabindex', k === chosen ? '0' : '-1');
      element.setAttribute('aria-pressed', String(k === chosen));
      element.setAttribute(
        'aria-label',
        [this.describe(node), node.aside || 'scalar', node.phase, known, warned && 'warning']
          .filter(Boolean)
          .join(', '),
      );
      node.flag.textContent = warned && !todo ? '⚠' : '';
      const bars = node.bars && !todo ? values.bars(node.main, moment) : null;
      node.barPath.setAttribute('d', bars ? barsPath(bars, node.width - 8, 8) : '');
      if (node.scalar) {
        const elements = todo ? null : values.elements(node.main, moment);
        node.asideText.textContent = elements ? number(elements[0], 4) : 'scalar';
      }
    });
    const near = this.visible.edges.filter(edge => edge.tail === chosen || edge.head === chosen);
    const drawn = new Map();
    this.marked.replaceChildren(...near.map(edge => this.edge(edge, this.placed.curve(edge, drawn))));
  }
}

/** The path of a histogram, from the left, upwards from y = 0. */
function barsPath(bars, width, height) {
  const step = width / bars.length;
  let d = '';
  bars.forEach((bar, i) => {
    if (bar) {
      const up = Math.max(1, (bar / 255) * height);
      d += `M${(i * step).toFixed(2)} 0v${(-up).toFixed(1)}h${(step * 0.86).toFixed(2)}V0Z`;
    }
  });
  return d;
}
