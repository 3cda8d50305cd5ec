// The panels that the supervisor's view and that of a single queue share. Each is made anew; `fill` keeps what is so
// already. No identity is here, since none comes from the server.

import { element } from './dom.js';
import { clock, seconds, share } from './format.js';
import { word } from './words.js';

const STATES = ['available', 'ringing', 'talking', 'hold', 'wrap_up', 'not_ready', 'logged_out', 'unknown'];

export function panel(title, ...content) {
  return element('section', { class: 'panel' }, element('h3', {}, title), ...content);
}

export function handlers(queue) {
  const known = STATES.filter((state) => queue.handlers[state]);
  return panel(word('handlers'), pairs(known.map((state) => [word(state === 'unknown' ? 'unheard' : state), queue.handlers[state]])));
}

// How many promises were kept, of those that came due; null where none did.
export function promises({ promises: made }) {
  const due = made ? made.kept + made.broken : 0;
  return due > 0 ? panel(word('promise'), element('p', {}, element('strong', {}, share(made.ratio)), ` · ${made.kept} / ${due}`)) : null;
}

// The head of the line by place and age, at most `count` of it. A board for many eyes tells nothing of it: that is no
// empty line.
export function line(queue, boardAge, count) {
  if (queue.visits === undefined) return panel(word('line'), element('p', {}, word('pending')));
  const shown = queue.visits.slice(0, count);
  if (shown.length === 0) return panel(word('line'), element('p', {}, word('nobody')));
  const heads = ['place', 'waited', 'remarks'].map((key) => element('th', { scope: 'col' }, word(key)));
  const rows = shown.map((visit) =>
    element(
      'tr',
      {},
      element('td', {}, String(visit.position)),
      element('td', {}, seconds(visit.waited_seconds + boardAge)),
      element('td', {}, remarks(visit).join(' · ')),
    ),
  );
  const more = queue.waiting + queue.callbacks_waiting - shown.length;
  return panel(
    word('line'),
    element('table', { class: 'line' }, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows)),
    more > 0 ? element('p', {}, word('more', { count: more })) : null,
  );
}

function remarks(visit) {
  return [
    visit.priority ? word('priority', { value: visit.priority }) : '',
    visit.ringing ? word('rings') : '',
    visit.counted === false ? word('uncounted') : '',
  ].filter(Boolean);
}

// What was said last and what became of it, at most `count`; of one queue, or with its name where `queue` is null.
// `all` is null until the server has told.
export function announcements(all, queue, count) {
  if (all === null) return panel(word('announcements'), element('p', {}, word('pending')));
  const shown = all.filter((said) => queue === null || said.queue === queue).slice(0, count);
  return panel(
    word('announcements'),
    shown.length === 0
      ? element('p', {}, word('said_nothing'))
      : element('ol', { class: 'said' }, ...shown.map((said) => element(
          'li',
          {},
          element('span', { class: 'when' }, clock(Date.parse(said.issued_at)), queue === null ? ` · ${said.queue}` : '', ` · ${word(said.outcome ?? 'pending')}`),
          element('q', { lang: said.language }, said.text),
        ))),
  );
}

function pairs(known) {
  if (known.length === 0) return element('p', {}, word('nobody'));
  return element('dl', {}, ...known.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, String(value)))));
}
