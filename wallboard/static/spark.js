// The last hour of a figure as a line of an SVG: no library for a polyline.

const NS = 'http://www.w3.org/2000/svg';
const WIDTH = 120, HEIGHT = 24, EDGE = 2;

// `goal`, where it is not null, is drawn as a broken line.
export function spark(values, about, goal) {
  const known = values.filter(isKnown);
  const high = Math.max(...known, goal ?? 0, 1e-9);
  const y = (value) => (HEIGHT - EDGE - (value / high) * (HEIGHT - 2 * EDGE)).toFixed(1);
  const svg = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'spark', preserveAspectRatio: 'none', role: 'img', 'aria-label': about });
  if (known.length > 0 && goal !== null) svg.append(draw('path', { class: 'goal', d: `M0,${y(goal)}H${WIDTH}` }));
  const x = (index) => ((index / (values.length - 1)) * WIDTH).toFixed(1);
  // A gap stays a gap: after one the line begins anew, with a dot where nothing follows.
  const line = values.map((value, index) => (isKnown(value) ? `${isKnown(values[index - 1]) ? 'L' : 'M'}${x(index)},${y(value)}h0` : ''));
  if (known.length > 0) svg.append(draw('path', { class: 'run', d: line.join('') }));
  return svg;
}

function isKnown(value) {
  return value !== null && value !== undefined;
}

function draw(name, attributes) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
