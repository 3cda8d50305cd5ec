// One queue, large: every figure with its last hour, and for supervisors who waits and what was said. Links lead to the
// other queues of the room. Without a name it is the first queue of the room.

import { queuesOf } from './board.js';
import { element, fill, set } from './dom.js';
import { FIGURES } from './figures.js';
import { announcements, handlers, line, panel, promises } from './panels.js';
import { feedSays, showVerdict } from './room.js';
import { toQueue } from './route.js';
import { definition, Tile } from './tile.js';
import { say, word } from './words.js';

const LINE_SHOWN = 10;
const SAID_SHOWN = 3;

export class SingleQueue {
  #name;
  #shape = '';
  #tiles = new Map(); // by figure
  #heading = element('h2', { tabindex: '-1' });
  #verdict = element('p', { class: 'verdict' });
  #feedLine = element('p', { class: 'feed' });
  #others = element('nav', { class: 'others' });
  #figures = element('div', { class: 'tiles' });
  #panels = element('div', { class: 'panels' });

  // `supervises`: whether this person may see single visits.
  constructor(centre, name, supervises) {
    this.centre = centre;
    this.#name = name;
    this.supervises = supervises;
    this.node = element(
      'section',
      { class: 'single' },
      element('div', { class: 'head' }, this.#heading, this.#verdict, this.#others),
      this.#feedLine,
      element('div', { class: 'body' }, this.#figures, this.#panels),
    );
  }

  update(state) {
    const { board, feed, words } = state;
    const queues = queuesOf(board);
    this.#name ??= queues[0]?.queue ?? null;
    const queue = queues.find((each) => each.queue === this.#name);
    this.node.dataset.feed = feed.state;
    set(this.#heading, queue ? `${queue.queue} · ${this.centre}` : word('no_queue', { queue: this.#name ?? '', centre: this.centre }));
    set(this.#feedLine, feedSays(board, feed));
    this.#others.setAttribute('aria-label', word('queues'));
    fill(this.#others, [element('a', { href: '#room' }, `← ${word('room')}`), ...queues.map((each) => this.#link(each.queue))]);
    this.#figures.hidden = this.#panels.hidden = queue === undefined;
    showVerdict(this.node, this.#verdict, words.get(this.#name)?.worst);
    if (queue) {
      this.#build();
      for (const [key, tile] of this.#tiles) tile.show(queue, state, words.get(queue.queue)?.figures.get(key));
      fill(this.#panels, this.#panelsOf(queue, state));
    }
    this.node.dataset.asOf = board.as_of;
  }

  #build() {
    if (this.#shape === document.documentElement.lang) return;
    this.#shape = document.documentElement.lang;
    this.#figures.replaceChildren();
    for (const figure of FIGURES) {
      const node = element('article', { class: 'tile card', 'data-figure': figure.key });
      const tile = new Tile(figure, node, element('h3', {}, definition(figure)));
      node.append(element('small', { class: 'formula' }, say(figure.formula)));
      this.#tiles.set(figure.key, tile);
      this.#figures.append(node);
    }
  }

  #link(name) {
    return element('a', { href: toQueue(this.centre, name), 'aria-current': name === this.#name ? 'page' : null }, name);
  }

  #panelsOf(queue, { feed, announcements: said }) {
    if (feed.isBlank) return [];
    const single = this.supervises
      ? [line(queue, feed.boardAge, LINE_SHOWN), announcements(said, queue.queue, SAID_SHOWN)]
      : [panel(word('line'), element('p', {}, word('hidden')))];
    return [...single, handlers(queue), promises(queue)];
  }
}
