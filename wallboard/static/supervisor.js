// What a supervisor sees besides: figures of the room, the head of each line by place and age, handlers, promises, and
// what was said last.

import { queuesOf } from './board.js';
import { element, fill } from './dom.js';
import { ROOM_FIGURES } from './figures.js';
import { announcements, handlers, line, promises } from './panels.js';
import { toQueue } from './route.js';
import { say, word } from './words.js';

const LINE_SHOWN = 12;
const SAID_SHOWN = 10;

export class Supervisor {
  #figures = element('dl', { class: 'room-figures' });
  #queues = element('div', { class: 'queues' });
  #said = element('div', { class: 'card' });

  constructor(centre) {
    this.centre = centre;
    this.node = element('div', { class: 'supervisor' }, this.#figures, this.#queues, this.#said);
  }

  update({ board, feed, announcements: said }) {
    this.node.hidden = feed.isBlank;
    if (feed.isBlank) return;
    fill(this.#figures, ROOM_FIGURES.map((figure) => roomFigure(figure, board)));
    fill(this.#queues, queuesOf(board).map((queue) => this.#queue(queue, feed.boardAge)));
    fill(this.#said, [announcements(said, null, SAID_SHOWN)]);
  }

  #queue(queue, boardAge) {
    return element(
      'article',
      { class: 'card' },
      element('h2', {}, element('a', { href: toQueue(this.centre, queue.queue) }, queue.queue)),
      handlers(queue),
      line(queue, boardAge, LINE_SHOWN),
      promises(queue),
    );
  }
}

function roomFigure(figure, board) {
  const value = figure.value(board);
  const texts = value === null ? [element('small', {}, word('later'))] : [element('strong', {}, value), element('small', {}, figure.note(board))];
  return element('div', { class: value === null ? 'later' : 'card', 'data-figure': figure.key }, element('dt', {}, say(figure.name)), element('dd', {}, ...texts));
}
