// The values in the page: for each box and moment, the elements kept, facts about all elements, and a histogram.

/** Decodes the text of the page into views of one large array; `planes` has the decompressed bytes. */
class Values {
  static async read(text, data) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return new Values(new Uint8Array(await new Response(stream).arrayBuffer()), data);
  }

  constructor(planes, data) {
    const n = data.numbers;
    const bits = new Uint32Array(n);
    for (let i = 0; i < n; i++) bits[i] = (planes[i] << 24) | (planes[n + i] << 16) | (planes[2 * n + i] << 8);
    this.data = data;
    this.numbers = new Float32Array(bits.buffer);
    this.octets = planes.subarray(3 * n);
    let at = 0;
    const sizes = data.samples.map(
      ([rows, columns, rowStep, columnStep]) => Math.ceil(rows / rowStep) * Math.ceil(columns / columnStep),
    );
    const placed = (moments, size) => {
      const found = { at, size, moments };
      at += size * moments;
      return found;
    };
    const undone = part => {
      // each row is stored as its difference from the row before
      for (let i = part.at + part.size; i < part.at + part.size * part.moments; i++) bits[i] ^= bits[i - part.size];
      return part;
    };
    this.elementsOf = data.moments.elements.map((moments, i) => undone(placed(moments, sizes[i])));
    this.factsOf = data.moments.facts.map(moments => undone(placed(moments, data.factNames.length)));
    at = 0;
    this.barsOf = data.moments.bars.map(moments => placed(moments, data.bins));
    this.zerosOf = data.moments.zeros.map((moments, i) => placed(moments, data.samples[i][0]));
    this.regionsAt = at;
  }

  static view(array, part, moment) {
    if (!part.moments) return null;
    const at = part.at + part.size * Math.min(moment, part.moments - 1);
    return array.subarray(at, at + part.size);
  }

  elements(box, moment) {
    return Values.view(this.numbers, this.elementsOf[box], moment);
  }

  bars(box, moment) {
    return Values.view(this.octets, this.barsOf[box], moment);
  }

  /** How many zeros each row has, including rows that were left out; null if that is not kept. */
  zeros(box, moment) {
    return Values.view(this.octets, this.zerosOf[box], moment);
  }

  /** How many elements of a row are 0; undefined if that is not known. */
  zerosOfRow(box, moment, row) {
    const counted = this.zeros(box, moment);
    if (counted) return counted[row];
    const cells = this.row(box, moment, row);
    return cells && this.data.samples[box][3] === 1 ? cells.filter(cell => cell === 0).length : undefined;
  }

  /** The elements kept of a row; undefined if it is left out. */
  row(box, moment, row) {
    const [, columns, rowStep, columnStep] = this.data.samples[box];
    const across = Math.ceil(columns / columnStep);
    const at = (row / rowStep) * across;
    return row % rowStep ? undefined : this.elements(box, moment)?.subarray(at, at + across);
  }

  /** The facts about all elements, by name; null if the value is not known. */
  facts(box, moment) {
    const found = Values.view(this.numbers, this.factsOf[box], moment);
    return found && Object.fromEntries(this.data.factNames.map((name, i) => [name, found[i]]));
  }

  /** The class of each point of the grid, row by row from the top. */
  regions(moment) {
    const size = (this.octets.length - this.regionsAt) / this.data.at.length;
    return this.octets.subarray(this.regionsAt + moment * size, this.regionsAt + (moment + 1) * size);
  }
}

/** A number in `digits` significant digits, with a true minus sign. */
function number(value, digits = 4) {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text =
    size >= 1e6 || size < 1e-4
      ? value
          .toExponential(digits - 1)
          .replace(/\.?0+e/, 'e')
          .replace('e+', 'e')
      : Number.isInteger(value)
        ? String(value)
        : String(Number(value.toPrecision(digits)));
  return text.replaceAll('-', '−');
}

/** The boxes that a box is computed from. */
function argumentsOf(data, box) {
  if (!data.args) {
    data.args = data.boxes.map(() => []);
    for (const [tail, head] of data.edges) data.args[head].push(tail);
  }
  return data.args[box];
}

/** The formula of a box with the names of the arguments that its dots stand for, or their formulas to this depth. */
function spelledOut(data, box, depth = 8) {
  const { formula, printed, line, order } = data.boxes[box];
  const dotted = argumentsOf(data, box).filter(tail => !data.boxes[tail].named);
  if (!formula.includes('·')) return formula;
  if (dotted.length !== formula.split('·').length - 1)
    return printed && order >= 0 ? asFormula(codeOf(data.source[line - 1])) : formula;
  const parts = dotted.map(tail => {
    const { name, what, order } = data.boxes[tail];
    if (!name && !depth && order >= 0) return '·';
    const text = name || spelledOut(data, tail, depth - 1) || what;
    const power = /·[²ᵀ[]/.test(formula) ? '' : '[²ᵀ]?';
    const alone = new RegExp(`^[\\p{L}\\d_]*(\\([^()]*\\))?${power}$`, 'u').test(text) || formula.includes('(·');
    const product = /^[^()]* [+−] [^()]*$/.test(formula) && /^[^()+−]*$/.test(text); // binds more tightly
    return alone || product ? text : `(${text})`;
  });
  return formula.replace(/(?<![\p{L}\d_])\(·\)|·/gu, dot => {
    const part = parts.shift();
    return dot.length > 1 && !/^[\p{L}\d_]+$/u.test(part) ? `(${part})` : part;
  });
}

/** The number of points in the data, to which the rows of other values belong; 0 if it is not known. */
function pointsOf({ regions, boxes }) {
  const rows = ({ kind, shape }) => kind === 'data' && [1, 2].includes(shape.length);
  return regions?.points.length ?? boxes.find(rows)?.shape[0] ?? 0;
}

const NO_POINTS = ['parameter', 'gradient', 'state', 'new_state'];

/** Whether a box has a row, or an element, for each point. */
function hasPoints(data, box) {
  const { shape, kind } = data.boxes[box];
  return [1, 2].includes(shape.length) && shape[0] === pointsOf(data) && !NO_POINTS.includes(kind);
}

/** The value that is 0 where a box masks the gradient of a relu, such as h in dh × (h > 0); '' if the box does not. */
function reluOff({ phase, formula }) {
  return (phase === 'backward' && formula.match(/ × \((.+) > 0\)$/)?.[1]) || '';
}

/** The box that masks a gradient and reads this box, a relu or the gradient; −1 if there is none. */
function maskOf(data, box) {
  return data.boxes.findIndex((other, i) => reluOff(other) && argumentsOf(data, i).includes(box));
}

/** Whether a box has a name that says nothing, such as t1, which the printer gave to a value without a name. */
function isNumbered({ name, named, printed }) {
  return !named && printed && /^t\d+_*$/.test(name);
}

/** The name of a box in texts: its name, or else its formula; both if its name says nothing. */
function calledIn(data, box) {
  const { name, what } = data.boxes[box];
  if (isNumbered(data.boxes[box])) return `${name} = ${spelledOut(data, box)}`;
  return name || spelledOut(data, box) || what;
}

/** Explains the names in a formula that say nothing by themselves: where t1 = dh × (h > 0). */
function whereOf(data, formula) {
  data.numbered ??= new Map(
    data.boxes.map((box, i) => [box.name, i]).filter(([, i]) => isNumbered(data.boxes[i])),
  );
  const names = new Set((formula.match(/[\p{L}\d_]+/gu) ?? []).filter(name => data.numbered.has(name)));
  const told = [...names].map(name => calledIn(data, data.numbered.get(name)));
  return told.length ? `where ${told.join(', ')}` : '';
}

/** A shape as people say it: 300×2, scalar. */
function shapeText(shape) {
  return shape.length ? shape.join('×') : 'scalar';
}

/** An element of the page: `make('button', { type: 'button' }, 'text')`. Text is never markup. */
function make(tag, attributes = {}, ...children) {
  const element = tag.startsWith('svg:')
    ? document.createElementNS('http://www.w3.org/2000/svg', tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter(child => child !== null));
  return element;
}
