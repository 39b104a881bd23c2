// Layout: a column for each phase, a row for each rank, and a band of rows for each scope. Values flow down in the
// forward column, gradients flow up in the backward column, and a gradient is level with its value. Between two rows
// there are only edges, and an edge that passes a row has its own place in the row, so that no edge crosses a box. The
// routes of edges from one phase to another are in routes.js.

const LAYOUT = {
  height: 44,
  rowGap: 20,
  gap: 12,
  lane: 7,
  columnGap: 34,
  bandGap: 9,
  indent: 8,
  top: 30,
  titleMost: 104,
};

/**
 * Places `nodes` ({ phase, scope, width, given }) and `edges` ({ tail, head, flow }), which refer to nodes by
 * index, arguments before their users. `pairs` are nodes to draw level. `order` is the left-to-right order to keep.
 * Returns nodes' x and y (of their upper left corners), frames, columns, the curves of edges and the size of the whole.
 */
function layout({ nodes, edges, pairs, phases, order, titleWidth }) {
  const root = scopesOf(nodes);
  const { rank, bands, rows } = ranksOf(nodes, edges, pairs, root);
  const depth = Math.max(0, ...bands.map(band => band.scope.path.length));
  const gutters = Array.from(
    { length: depth },
    (_, d) =>
      Math.min(
        LAYOUT.titleMost,
        Math.max(
          0,
          ...bands.filter(band => band.scope.path.length === d + 1).map(band => titleWidth(band.scope.name)),
        ),
      ) + 10,
  );
  const tops = rowTops(rows, bands);
  const columns = [];
  const x = new Array(nodes.length);
  let left = gutters.reduce((sum, width) => sum + width, depth ? 6 : 0);
  const paths = new Map();
  for (const phase of phases) {
    const members = nodes.map((_, i) => i).filter(i => nodes[i].phase === phase);
    if (!members.length) continue;
    const within = edges.filter(
      ({ tail, head }) => nodes[tail].phase === phase && nodes[head].phase === phase && rank[tail] !== rank[head],
    );
    const placed = columnOf(members, within, nodes, rank, order);
    members.forEach(i => {
      x[i] = left + placed.vertices.get(i).x - nodes[i].width / 2;
    });
    within.forEach((edge, k) => paths.set(edge, { ...placed.routes[k], left }));
    columns.push({ phase, x: left, width: placed.width });
    left += placed.width + LAYOUT.columnGap;
  }
  const width = left - LAYOUT.columnGap + 2 * LAYOUT.indent;
  const y = rank.map(r => tops[r]);
  const frames = bands.map(({ scope, first, last }) => {
    const d = scope.path.length - 1;
    const inset = gutters.slice(0, d).reduce((sum, gutter) => sum + gutter, 0);
    const above = LAYOUT.bandGap * nested(bands, first, scope, 'first');
    const below = LAYOUT.bandGap * nested(bands, last, scope, 'last');
    const top = tops[first] - above;
    const bottom = tops[last] + LAYOUT.height + below;
    return {
      scope,
      x: inset,
      y: top,
      width: width - inset - 3 * d,
      height: bottom - top,
      gutter: gutters[d],
    };
  });
  const routes = new Routes({ nodes, x, rank, tops, columns });
  /** The curve of an edge, without the part that another edge from the same node has `drawn` already. */
  const curve = (edge, drawn) =>
    paths.has(edge) ? flowing(edge.tail, paths.get(edge), tops, drawn) : routes.of(edge);
  return {
    x,
    y,
    curve,
    frames,
    columns,
    width,
    height: tops[rows - 1] + LAYOUT.height + LAYOUT.bandGap * (depth + 1),
  };
}

/** The scopes as a tree: { name, path, parent, inner, own }, inner scopes in the order of their first operations. */
function scopesOf(nodes) {
  const root = { name: '', path: [], parent: null, inner: [], own: [] };
  const forwardFirst = nodes
    .map((_, i) => i)
    .sort(
      (a, b) =>
        (nodes[a].phase !== 'forward') - (nodes[b].phase !== 'forward') ||
        nodes[a].given - nodes[b].given ||
        nodes[a].begins - nodes[b].begins ||
        a - b,
    );
  for (const i of forwardFirst) {
    let scope = root;
    for (const name of nodes[i].scope) {
      let next = scope.inner.find(inner => inner.name === name);
      if (!next) {
        next = { name, path: [...scope.path, name], parent: scope, inner: [], own: [] };
        scope.inner.push(next);
      }
      scope = next;
    }
    scope.own.push(i);
    nodes[i].home = scope;
  }
  return root;
}

/** The row of each node, and for each scope the band of rows that it takes up. */
function ranksOf(nodes, edges, pairs, root) {
  const rank = new Array(nodes.length).fill(0);
  const args = nodes.map(() => []);
  const users = nodes.map(() => []);
  for (const { tail, head } of edges) {
    args[head].push(tail);
    users[tail].push(head);
  }
  const level = new Map(); // the node that a gradient or a new state is level with
  for (const [of, beside] of pairs) if (nodes[of].phase !== nodes[beside].phase) level.set(beside, of);
  const bands = [];
  let rows = 0;
  const place = scope => {
    const first = rows;
    segmentsOf(scope, nodes, args, users, level).forEach((members, k) => {
      if (members.length) rows += rankSegment(members, rows, rank, nodes, args, users, level);
      if (k < scope.inner.length) place(scope.inner[k]);
    });
    if (scope !== root) bands.push({ scope, first, last: rows - 1 });
  };
  place(root);
  return { rank, bands, rows };
}

/** The nodes of a scope itself as lists: those above its first inner scope, those below that, … */
function segmentsOf(scope, nodes, args, users, level) {
  const count = scope.inner.length;
  const segment = new Map();
  const position = new Map(scope.inner.map((inner, k) => [inner, k]));
  const inner = i => {
    // the number of the inner scope that a node is in, undefined if it is in none
    let home = nodes[i].home;
    while (home && home.parent !== scope) home = home.parent;
    return position.get(home);
  };
  const after = i => segment.get(i) ?? (inner(i) === undefined ? undefined : inner(i) + 1);
  const before = i => segment.get(i) ?? inner(i);
  const own = phase => scope.own.filter(i => nodes[i].phase === phase).sort((a, b) => a - b);
  const known = (list, where) => list.map(where).filter(at => at !== undefined);
  const forward = own('forward');
  for (const i of forward.filter(i => !nodes[i].given)) segment.set(i, Math.max(0, ...known(args[i], after)));
  for (const i of forward.filter(i => nodes[i].given)) {
    const forwardUsers = users[i].filter(user => nodes[user].phase === 'forward');
    segment.set(i, Math.min(count, ...known(forwardUsers, before)));
  }
  for (const i of own('backward')) {
    const backwardArgs = args[i].filter(arg => nodes[arg].phase === 'backward');
    const found = known(backwardArgs, before);
    const beside = level.has(i) ? known([level.get(i)], before) : [];
    segment.set(i, Math.min(count, ...found, ...beside));
  }
  for (const i of own('update').reverse()) {
    const found = known(level.has(i) ? [level.get(i)] : users[i].length ? users[i] : args[i], before);
    segment.set(i, found.length ? Math.min(...found) : 0);
  }
  const segments = Array.from({ length: count + 1 }, () => []);
  for (const [i, at] of segment) segments[at].push(i);
  return segments;
}

/** Ranks the nodes of one segment from the row `base` on; returns the number of rows. */
function rankSegment(members, base, rank, nodes, args, users, level) {
  const local = new Map();
  const of = (list, phase) =>
    list.filter(i => local.has(i) && (!phase || nodes[i].phase === phase)).map(i => local.get(i));
  const inside = new Set(members);
  const phase = name => members.filter(i => nodes[i].phase === name).sort((a, b) => a - b);
  const forward = phase('forward');
  for (const i of forward.filter(i => !nodes[i].given)) {
    const above = args[i].filter(arg => inside.has(arg));
    const least = above.some(arg => nodes[arg].given) ? 1 : 0; // given nodes get a lower row, next to their users
    local.set(i, Math.max(least, ...of(above).map(r => r + 1)));
  }
  for (const i of forward.filter(i => nodes[i].given)) {
    const below = of(users[i], 'forward');
    local.set(i, below.length ? Math.max(0, Math.min(...below) - 1) : 0);
  }
  const lowest = Math.max(0, ...local.values());
  for (const i of phase('backward')) {
    const below = of(args[i], 'backward').map(r => r - 1);
    const beside = level.has(i) && local.has(level.get(i)) ? [local.get(level.get(i))] : [];
    local.set(i, below.length || beside.length ? Math.min(...below, ...beside) : lowest);
  }
  for (const i of phase('update').reverse()) {
    const below = of(users[i], 'update').map(r => r + 1);
    const beside = level.has(i) && local.has(level.get(i)) ? [local.get(level.get(i))] : [];
    local.set(i, beside.length ? beside[0] : Math.max(0, ...below));
  }
  const least = Math.min(...local.values());
  for (const [i, r] of local) rank[i] = base + r - least;
  return Math.max(...local.values()) - least + 1;
}

/** The upper edge of each row. */
function rowTops(rows, bands) {
  const tops = [];
  let y = LAYOUT.top;
  for (let r = 0; r < rows; r++) {
    y += LAYOUT.bandGap * bands.filter(band => band.first === r).length;
    tops.push(y);
    y += LAYOUT.height + LAYOUT.rowGap + LAYOUT.bandGap * bands.filter(band => band.last === r).length;
  }
  return tops;
}

/** How many frames begin (or end) at this row inside a scope, including its own frame. */
function nested(bands, row, scope, end) {
  return bands.filter(band => band[end] === row && scope.path.every((name, d) => band.scope.path[d] === name)).length;
}

/**
 * Places the nodes of one phase sideways. The route of an edge is the first `length` vertices on a way, one in each row
 * that it passes, and its end.
 */
function columnOf(members, edges, nodes, rank, order) {
  const vertices = new Map(
    members.map(i => [
      i,
      { rank: rank[i], width: nodes[i].width, near: [], x: 0, key: i, place: order.placeOf(nodes[i]) },
    ]),
  );
  const all = [...vertices.values()];
  const link = (a, b) => {
    a.near.push(b);
    b.near.push(a);
  };
  const ways = new Map(); // from each node, up and down: the node, then a lane in each row; its edges share it
  const routes = edges.map(({ tail, head }) => {
    const start = vertices.get(tail);
    const end = vertices.get(head);
    const step = Math.sign(end.rank - start.rank);
    const key = `${tail} ${step}`;
    if (!ways.has(key)) ways.set(key, [start]);
    const way = ways.get(key);
    const length = Math.abs(end.rank - start.rank);
    while (way.length < length) {
      const vertex = {
        rank: way.at(-1).rank + step,
        width: LAYOUT.lane,
        near: [],
        x: 0,
        key: tail + 0.5,
        lane: true,
      };
      link(way.at(-1), vertex);
      way.push(vertex);
      all.push(vertex);
    }
    link(way[length - 1], end);
    return { way, length, end };
  });
  const layers = [];
  for (const vertex of all) (layers[vertex.rank] ??= []).push(vertex);
  const filled = layers.filter(Boolean);
  sortRows(filled, () => {});
  if (!filled.every(isInOrder)) sortRows(filled, keepOrder);
  // From here on, the order stays. Nodes move to the middle of the nodes they are joined to: above, below, then both.
  for (const towards of ['above', 'above', 'below', 'below', 'both', 'both', 'both', 'both', 'both', 'both']) {
    const down = towards !== 'below';
    for (const layer of down ? filled : [...filled].reverse()) {
      spread(
        layer,
        layer.map(vertex => {
          const near = vertex.near.filter(other => towards === 'both' || other.rank < vertex.rank === down);
          const lanes = vertex.lane ? near.filter(other => other.lane) : []; // lanes should be straight
          const among = lanes.length ? lanes : near;
          return among.length ? among.reduce((sum, other) => sum + other.x, 0) / among.length : vertex.x;
        }),
      );
    }
  }
  const least = Math.min(...all.map(vertex => vertex.x - vertex.width / 2));
  for (const vertex of all) vertex.x -= least;
  return { vertices, routes, width: Math.max(...all.map(vertex => vertex.x + vertex.width / 2)) };
}

/** Sorts the vertices of each row so that few edges cross; each order that is tried was changed by `keep`. */
function sortRows(filled, keep) {
  for (const layer of filled) {
    layer.sort((a, b) => a.key - b.key);
    keep(layer);
    spread(
      layer,
      layer.map(() => 0),
    );
  }
  let best = null;
  const rounds = filled.flat().length > 500 ? 8 : 24;
  for (let round = 0; round < rounds; round++) {
    const down = round % 2 === 0;
    for (const layer of down ? filled : [...filled].reverse()) {
      const towards = vertex => {
        const near = vertex.near.filter(other => other.rank < vertex.rank === down);
        return near.length ? near.reduce((sum, other) => sum + other.x, 0) / near.length : vertex.x;
      };
      const wanted = new Map(layer.map(vertex => [vertex, towards(vertex)]));
      layer.sort((a, b) => wanted.get(a) - wanted.get(b) || a.key - b.key);
      keep(layer);
      spread(
        layer,
        layer.map(vertex => wanted.get(vertex)),
      );
    }
    const crossings = crossingsOf(filled);
    if (!best || crossings < best.crossings) best = { crossings, orders: filled.map(layer => [...layer]) };
  }
  best.orders.forEach((order, k) => filled[k].splice(0, order.length, ...order));
}

/** The number of pairs of edges that cross between two rows; large pictures are not counted. */
function crossingsOf(layers) {
  let count = 0;
  for (const layer of layers) {
    const below = layer.flatMap(vertex =>
      vertex.near.filter(other => other.rank > vertex.rank).map(other => [vertex.x, other.x]),
    );
    if (below.length > 400) return 0;
    for (let i = 0; i < below.length; i++) {
      for (let j = 0; j < i; j++) if ((below[i][0] - below[j][0]) * (below[i][1] - below[j][1]) < 0) count++;
    }
  }
  return count;
}

/** Moves the vertices of a row as close to the wanted x as their order and widths permit (pool adjacent violators). */
function spread(layer, wanted) {
  const pools = [];
  let offset = 0;
  layer.forEach((vertex, i) => {
    if (i) {
      const gap = vertex.lane && layer[i - 1].lane ? 0 : LAYOUT.gap;
      offset += (layer[i - 1].width + vertex.width) / 2 + gap;
    }
    vertex.offset = offset;
    const weight = vertex.lane ? 8 : 1;
    pools.push({ sum: (wanted[i] - offset) * weight, weight, members: [vertex] });
    while (pools.length > 1 && mean(pools.at(-2)) > mean(pools.at(-1))) {
      const last = pools.pop();
      const pool = pools.at(-1);
      pool.sum += last.sum;
      pool.weight += last.weight;
      pool.members.push(...last.members);
    }
  });
  for (const pool of pools) for (const vertex of pool.members) vertex.x = mean(pool) + vertex.offset;
}

function mean(pool) {
  return pool.sum / pool.weight;
}

/** The curve of an edge within a phase: straight through rows, bent between them. `drawn` has how far, for each way. */
function flowing(tail, { way, length, end, left }, tops, drawn) {
  const down = end.rank >= way[0].rank;
  const leave = r => tops[r] + (down ? LAYOUT.height : 0);
  const enter = r => tops[r] + (down ? 0 : LAYOUT.height);
  const key = `${tail} ${down}`;
  const known = drawn.get(key) ?? 0;
  const first = Math.min(length - 1, known);
  drawn.set(key, Math.max(length - 1, known));
  let d = `M${round(left + way[first].x)} ${leave(way[first].rank)}`;
  for (let k = first + 1; k <= length; k++) {
    const before = way[k - 1];
    const next = k < length ? way[k] : end;
    const [from, to] = [leave(before.rank), enter(next.rank)];
    const middle = (from + to) / 2;
    const x = round(left + next.x);
    d += `C${round(left + before.x)} ${middle} ${x} ${middle} ${x} ${to}`;
    if (k < length) d += `V${leave(next.rank)}`;
  }
  return { d, tip: [round(left + end.x), enter(end.rank), down ? 90 : -90] };
}

function round(value) {
  return Math.round(10 * value) / 10;
}
