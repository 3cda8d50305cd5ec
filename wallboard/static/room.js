// One control room on the page: a row a queue, a column a figure. Built once, then kept true.

import { queuesOf } from './board.js';
import { element, set } from './dom.js';
import { FIGURES } from './figures.js';
import { clock, seconds } from './format.js';
import { NAMES, SHAPES } from './judge.js';
import { toQueue } from './route.js';
import { definition, Tile } from './tile.js';
import { say, word } from './words.js';

export class Room {
  #rows = new Map(); // by queue
  #shape = '';
  #feedLine = element('p', { class: 'feed' });

  constructor(centre) {
    this.centre = centre;
    this.node = element('section', { class: 'room' });
  }

  update(state) {
    const queues = queuesOf(state.board);
    this.#build(queues);
    this.node.dataset.feed = state.feed.state;
    set(this.#feedLine, feedSays(state.board, state.feed));
    for (const queue of queues) {
      const { row, verdict, tiles } = this.#rows.get(queue.queue);
      const judged = state.words.get(queue.queue);
      for (const [key, tile] of tiles) tile.show(queue, state, judged?.figures.get(key));
      showVerdict(row, verdict, judged?.worst);
    }
    this.node.dataset.asOf = state.board.as_of;
  }

  #build(queues) {
    const shape = JSON.stringify([document.documentElement.lang, ...queues.map((queue) => queue.queue)]);
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#rows.clear();
    const head = element('tr', {}, element('td'));
    for (const figure of FIGURES) {
      head.append(element('th', { scope: 'col' }, definition(figure), element('small', { class: 'formula' }, say(figure.formula))));
    }
    const body = element('tbody');
    for (const queue of queues) body.append(this.#row(queue.queue));
    this.node.replaceChildren(
      element('h2', { tabindex: '-1' }, this.centre),
      this.#feedLine,
      element('table', {}, element('thead', {}, head), body),
    );
  }

  #row(name) {
    const verdict = element('span', { class: 'verdict' });
    const link = element('a', { class: 'queue', href: toQueue(this.centre, name) }, name);
    const row = element('tr', {}, element('th', { scope: 'row' }, link, verdict));
    const tiles = new Map();
    for (const figure of FIGURES) {
      const cell = element('td', { 'data-figure': figure.key, 'data-label': say(figure.name), 'data-formula': say(figure.formula) });
      tiles.set(figure.key, new Tile(figure, cell));
      row.append(cell);
    }
    this.#rows.set(name, { row, verdict, tiles });
    return row;
  }
}

// What is to be said of the feed: how old the data are, and what else makes them doubtful.
export function feedSays(board, feed) {
  const says = [];
  if (feed.state === 'live') says.push(`${word('live')} · ${seconds(feed.age)}`);
  if (feed.state === 'late') says.push(word('late').toUpperCase(), word('late_long', { age: seconds(feed.age) }));
  if (feed.state === 'dead') says.push(word('dead').toUpperCase(), word('dead_long', { time: clock(feed.since) }));
  if (feed.state === 'unknown') says.push(word('unknown').toUpperCase(), word('unknown_long'));
  if (board.feed.catching_up && feed.state !== 'dead') says.push(word('catching_up'));
  if (!board.conservation.ok) says.push(word('broken_sums'));
  return says.join(' · ');
}

// The word of a queue as a whole, on `node` and in `verdict`; none while nothing is shown.
export function showVerdict(node, verdict, worst) {
  node.dataset.word = worst === undefined ? 'none' : NAMES[worst];
  set(verdict, worst === undefined ? '' : `${SHAPES[worst]} ${word(NAMES[worst])}`);
}
