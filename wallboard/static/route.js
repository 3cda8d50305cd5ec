// Which view the address asks for: #room, #supervisor or #queue/CENTRE/QUEUE. A control room after one of the first two
// shows that alone, instead of all; #queue without one, or without a queue, is the first there is.

const VIEWS = ['room', 'supervisor', 'queue'];

export function routeOf(text) {
  const [view, centre, queue] = text.replace(/^#/, '').split('/').map(decoded);
  return { view: VIEWS.includes(view) ? view : VIEWS[0], centre: centre || null, queue: queue || null };
}

export function toQueue(centre, queue) {
  return `#queue/${encodeURIComponent(centre)}/${encodeURIComponent(queue)}`;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
