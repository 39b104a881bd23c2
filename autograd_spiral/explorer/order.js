// The order of boxes from left to right. Boxes that were seen once keep their order when something is folded or
// unfolded, even if they were hidden in the meantime.

class Order {
  constructor() {
    this.ids = []; // the ids of all boxes and folded scopes that were ever visible
    this.places = new Map();
  }

  /** The place of a node in the order; undefined if it was never visible. */
  placeOf({ id }) {
    return this.places.get(id);
  }

  /** Adds the nodes of a drawing, which are at `x` and `y`: a new node is put next to its neighbour in the drawing. */
  add(nodes, x, y) {
    const rightwards = nodes.map((_, k) => k).sort((a, b) => x[a] - x[b]);
    if (!this.ids.length) this.ids = rightwards.map(k => nodes[k].id);
    const rows = new Map();
    for (const k of rightwards) {
      const row = `${nodes[k].phase} ${y[k]}`;
      rows.set(row, [...(rows.get(row) ?? []), nodes[k].id]);
    }
    const known = new Set(this.ids);
    for (const row of rows.values()) {
      row.forEach((id, i) => {
        if (known.has(id)) return;
        const next = row.find(other => known.has(other)); // if there is none to the left, there is one to the right
        const at = i ? this.ids.indexOf(row[i - 1]) + 1 : next ? this.ids.indexOf(next) : this.ids.length;
        this.ids.splice(at, 0, id);
        known.add(id);
      });
    }
    this.places = new Map(this.ids.map((id, place) => [id, place]));
  }
}

/** Puts the vertices of a row that have a `place` into its order; all other vertices stay where they are. */
function keepOrder(row) {
  const placed = row.filter(vertex => vertex.place !== undefined).sort((a, b) => a.place - b.place);
  row.forEach((vertex, i) => {
    if (vertex.place !== undefined) row[i] = placed.shift();
  });
}

/** Whether the vertices of a row that have a `place` are in its order. */
function isInOrder(row) {
  const places = row.map(vertex => vertex.place).filter(place => place !== undefined);
  return places.every((place, i) => !i || places[i - 1] < place);
}
