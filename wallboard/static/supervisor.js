// What a supervisor sees besides: the head of each line by place and age, handlers, announcements, promises.
// No identity is here, since none comes from the server.

import { element, seconds, share } from './format.js';
import { feedOf } from './room.js';
import { word } from './words.js';

const STATES = ['available', 'ringing', 'talking', 'hold', 'wrap_up', 'not_ready', 'logged_out', 'unknown'];
const OUTCOMES = ['issued', 'played', 'cut_by_answer', 'caller_left', 'expired', 'failed'];
const LINE_SHOWN = 12;

export class Supervisor {
  constructor(centre) {
    this.centre = centre;
    this.node = element('div', { class: 'supervisor' });
  }

  update(board, now) {
    const feed = feedOf(board, now);
    if (feed.state === 'dead' || feed.state === 'unknown') {
      this.node.replaceChildren();
      return;
    }
    this.node.replaceChildren(
      this.#ringBacks(board),
      ...board.queues.map((queue) => this.#queue(queue, feed.boardAge)),
      ...['staffing', 'origins', 'redials'].map((key) =>
        element('article', { class: 'later' }, element('h3', {}, word(key)), element('p', {}, word('later'))),
      ),
    );
  }

  #ringBacks({ ring_backs_due: due }) {
    const oldest = due.oldest_age_seconds === null ? '' : ` · ${seconds(due.oldest_age_seconds)}`;
    return element('article', {}, element('h3', {}, word('ring_backs')), element('p', {}, `${due.count}${oldest}`));
  }

  #queue(queue, boardAge) {
    const told = Object.entries(queue.announcements ?? {});
    const promises = queue.promises;
    return element(
      'article',
      {},
      element('h3', {}, queue.queue),
      this.#list(word('handlers'), STATES.map((state) => [word(state === 'unknown' ? 'unheard' : state), queue.handlers[state] ?? 0])),
      this.#line(queue, boardAge),
      told.length
        ? this.#list(
            word('announcements'),
            OUTCOMES.map((outcome) => [word(outcome), told.filter(([name]) => name.endsWith(outcome)).reduce((sum, [, count]) => sum + count, 0)]),
          )
        : null,
      promises?.kept + promises?.broken > 0 ? this.#list(word('promise'), [[share(promises.ratio), `${promises.kept} / ${promises.kept + promises.broken}`]]) : null,
    );
  }

  #list(title, pairs) {
    const known = pairs.filter(([, count]) => count !== 0);
    return element(
      'section',
      {},
      element('h4', {}, title),
      known.length ? element('dl', {}, ...known.flatMap(([name, count]) => [element('dt', {}, name), element('dd', {}, String(count))])) : element('p', {}, '–'),
    );
  }

  #line(queue, boardAge) {
    const shown = (queue.visits ?? []).slice(0, LINE_SHOWN);
    if (!shown.length) return this.#list(word('line'), []);
    const rows = shown.map((visit) =>
      element(
        'tr',
        {},
        element('td', {}, String(visit.position)),
        element('td', {}, seconds(visit.waited_seconds + boardAge)),
        element('td', {}, visit.priority ? String(visit.priority) : ''),
        element('td', {}, visit.ringing ? word('rings') : ''),
      ),
    );
    const heads = ['place', 'waited', 'priority', 'rings'].map((key) => element('th', { scope: 'col' }, word(key)));
    const more = queue.waiting + queue.callbacks_waiting - shown.length;
    return element(
      'section',
      {},
      element('h4', {}, word('line')),
      element('table', { class: 'line' }, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows)),
      more > 0 ? element('p', {}, word('more', { count: more })) : null,
    );
  }
}
