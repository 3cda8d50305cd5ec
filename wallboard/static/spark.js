// The last hour of a figure as a line of an SVG: no library for a polyline.

const NS = 'http://www.w3.org/2000/svg';
const WIDTH = 120, HEIGHT = 24;

export function spark(values, about) {
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('class', 'spark');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', about);
  const known = values.filter((value) => value !== null && value !== undefined);
  if (known.length < 2) return svg;
  const low = Math.min(0, ...known), high = Math.max(...known, low + 1e-9);
  let run = [];
  const draw = () => {
    if (run.length > 1) {
      const line = document.createElementNS(NS, 'polyline');
      line.setAttribute('points', run.join(' '));
      svg.append(line);
    }
    run = [];
  };
  values.forEach((value, index) => {
    if (value === null || value === undefined) return draw(); // a gap stays a gap
    const x = (index / (values.length - 1)) * WIDTH;
    const y = HEIGHT - 2 - ((value - low) / (high - low)) * (HEIGHT - 4);
    run.push(`${x.toFixed(1)},${y.toFixed(1)}`);
  });
  draw();
  return svg;
}
