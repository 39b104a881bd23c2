// The routes of edges from one phase to another. An edge is one curve if that crosses no box. Otherwise it goes around
// the boxes: through the gap below the row of its tail, between two columns, and through the gap below the row of its
// head.

const ROUTE = { corner: 8, radius: 5, track: 9, step: 4, tracks: 3, samples: 64 };

class Routes {
  /** `nodes` are at `x`, in the row `rank`; `tops` has the upper edge of each row; `columns` are the phases'. */
  constructor({ nodes, x, rank, tops, columns }) {
    Object.assign(this, { nodes, x, rank, tops, columns });
    this.rows = tops.map(() => []); // the boxes of each row
    nodes.forEach((_, i) => this.rows[rank[i]].push(i));
    this.taken = new Map(); // for each gap, the intervals on each of its tracks
    this.known = new Map();
  }

  /** The curve of an edge; an edge that is drawn twice gets the same curve. */
  of(edge) {
    if (!this.known.has(edge)) this.known.set(edge, this.direct(edge) ?? this.around(edge));
    return this.known.get(edge);
  }

  top(i) {
    return this.tops[this.rank[i]];
  }

  /** One curve from the side of one box to the side of the other; null if it would cross a box. */
  direct({ tail, head }) {
    const { nodes, x } = this;
    const right = x[head] >= x[tail];
    const from = [x[tail] + (right ? nodes[tail].width : 0), this.top(tail) + LAYOUT.height / 2];
    const to = [x[head] + (right ? 0 : nodes[head].width), this.top(head) + LAYOUT.height / 2];
    const bend = (right ? 1 : -1) * Math.max(30, Math.abs(to[0] - from[0]) / 2);
    const points = [from, [from[0] + bend, from[1]], [to[0] - bend, to[1]], to];
    for (let k = 1; k < ROUTE.samples; k++) if (this.isInBox(bezier(points, k / ROUTE.samples), tail, head)) return null;
    const [start, ...rest] = points.map(([a, b]) => `${round(a)} ${b}`);
    return { d: `M${start}C${rest.join(' ')}`, tip: [round(to[0]), to[1], right ? 0 : 180] };
  }

  isInBox([a, b], ...ends) {
    const row = this.tops.findLastIndex(top => top <= b);
    if (row < 0 || b > this.tops[row] + LAYOUT.height) return false;
    return this.rows[row].some(i => !ends.includes(i) && this.x[i] <= a && a <= this.x[i] + this.nodes[i].width);
  }

  /** A way around the boxes. */
  around({ tail, head }) {
    const { nodes, x, rank } = this;
    const right = x[head] >= x[tail];
    if (rank[tail] === rank[head]) {
      const [start, end] = [this.below(tail, right), this.below(head, !right)];
      const y = this.track(rank[tail], start[0], end[0]);
      return { d: rounded([start, [start[0], y], [end[0], y], end]), tip: [...end, -90] };
    }
    const column = this.columns.find(({ phase }) => phase === nodes[head].phase);
    const between = right ? column.x - LAYOUT.columnGap / 2 : column.x + column.width + LAYOUT.columnGap / 2;
    const way = this.towards(head, between);
    const points = [...this.towards(tail, between), ...[...way].reverse()];
    return { d: rounded(points), tip: [...way[0], way.length > 2 ? -90 : right ? 0 : 180] };
  }

  /** The points from a box to a vertical line: from its side if no box is in between, else through the gap below. */
  towards(i, line) {
    const right = line > this.x[i];
    const side = this.x[i] + (right ? this.nodes[i].width : 0);
    const [from, to] = [Math.min(side, line), Math.max(side, line)];
    if (!this.rows[this.rank[i]].some(k => k !== i && this.x[k] < to && from < this.x[k] + this.nodes[k].width)) {
      const middle = this.top(i) + LAYOUT.height / 2;
      return [[side, middle], [line, middle]];
    }
    const start = this.below(i, right);
    const y = this.track(this.rank[i], start[0], line);
    return [start, [start[0], y], [line, y]];
  }

  /** The point at the lower edge of a box, near its right or left corner. */
  below(i, right) {
    const corner = right ? this.nodes[i].width - ROUTE.corner : ROUTE.corner;
    return [round(this.x[i] + corner), this.top(i) + LAYOUT.height];
  }

  /** A track in the gap below a row that no other edge uses between these two x, if there is one. */
  track(row, a, b) {
    if (!this.taken.has(row)) this.taken.set(row, Array.from({ length: ROUTE.tracks }, () => []));
    const tracks = this.taken.get(row);
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    const free = tracks.findIndex(track => track.every(([left, right]) => right < from || to < left));
    const k = free >= 0 ? free : ROUTE.tracks - 1;
    tracks[k].push([from, to]);
    return this.tops[row] + LAYOUT.height + ROUTE.track + ROUTE.step * k;
  }
}

function bezier([a, b, c, d], t) {
  const s = 1 - t;
  return [0, 1].map(k => s ** 3 * a[k] + 3 * s * s * t * b[k] + 3 * s * t * t * c[k] + t ** 3 * d[k]);
}

/** A path along straight lines with round corners. */
function rounded(points) {
  const towards = ([a, b], [c, d]) => {
    const length = Math.hypot(c - a, d - b);
    const part = Math.min(ROUTE.radius, length / 2) / (length || 1);
    return `${round(a + part * (c - a))} ${round(b + part * (d - b))}`;
  };
  const corners = points.slice(1, -1).map((corner, k) => {
    const [before, after] = [points[k], points[k + 2]];
    return `L${towards(corner, before)}Q${corner.map(round).join(' ')} ${towards(corner, after)}`;
  });
  return `M${points[0].map(round).join(' ')}${corners.join('')}L${points.at(-1).map(round).join(' ')}`;
}
