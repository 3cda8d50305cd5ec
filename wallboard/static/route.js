// Which view the address asks for: #room, #supervisor, #queue/CENTRE/QUEUE. Without a control room or a queue in it,
// #queue is the first there is.

export function routeOf(text) {
  const [view, centre, queue] = text.replace(/^#/, '').split('/').map(decoded);
  if (view === 'queue') return { view, centre: centre || null, queue: queue || null };
  return { view: view === 'supervisor' ? view : 'room', centre: null, queue: null };
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
