// One control room on the page: a row a queue, a column a figure. Built once, then kept true twice a second.

import { FIGURES } from './figures.js';
import { clock, element, seconds } from './format.js';
import { Held, NAMES, OK, SHAPES } from './judge.js';
import { spark } from './spark.js';
import { word } from './words.js';

const LATE_AFTER = 15, DEAD_AFTER = 30; // seconds, as the definitions say

// How old the data are now, and what that makes of the feed.
export function feedOf(board, now) {
  const boardAge = Math.max(0, (now - Date.parse(board.as_of)) / 1000);
  const said = board.feed.data_age_seconds;
  if (said === null) return { state: 'unknown', boardAge, age: null, since: null };
  const age = said + boardAge;
  const state = age <= LATE_AFTER ? 'live' : age <= DEAD_AFTER ? 'late' : 'dead';
  return { state, boardAge, age, since: Date.parse(board.as_of) - said * 1000 };
}

export class Room {
  #held = new Held();
  #cells = new Map();
  #shape = '';
  #words = new Map();

  constructor(centre) {
    this.centre = centre;
    this.board = null;
    this.history = null;
    this.node = element('section', { class: 'room' });
  }

  // The words of all queues as last shown, by queue: for the sound, and for whoever listens instead of looking.
  get words() {
    return this.#words;
  }

  update(now) {
    if (this.board === null) return;
    const queues = [...this.board.queues].sort(
      (one, other) => one.target.threshold_seconds - other.target.threshold_seconds || (one.queue < other.queue ? -1 : 1),
    );
    this.#build(queues);
    const feed = feedOf(this.board, now);
    this.node.dataset.feed = feed.state;
    this.#sayFeed(feed);
    const blank = feed.state === 'dead' || feed.state === 'unknown';
    for (const queue of queues) this.#show(queue, feed, blank, now);
  }

  #build(queues) {
    const shape = JSON.stringify([document.documentElement.lang, ...queues.map((queue) => queue.queue)]);
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#cells.clear();
    this.feedLine = element('p', { class: 'feed' });
    const head = element('tr', {}, element('td'));
    for (const figure of FIGURES) {
      head.append(
        element(
          'th',
          { scope: 'col' },
          element('details', {}, element('summary', {}, word(figure.key)), element('p', {}, word(`about_${figure.key}`))),
        ),
      );
    }
    const body = element('tbody');
    for (const queue of queues) body.append(this.#row(queue.queue));
    this.node.replaceChildren(
      element('h2', {}, this.centre),
      this.feedLine,
      element('table', {}, element('thead', {}, head), body),
    );
    this.node.style.setProperty('--rows', queues.length);
  }

  #row(name) {
    const verdict = element('span', { class: 'verdict' });
    const row = element('tr', {}, element('th', { scope: 'row' }, element('span', { class: 'queue' }, name), verdict));
    const cells = new Map();
    for (const figure of FIGURES) {
      const parts = {
        mark: element('span', { class: 'mark' }),
        value: element('span', { class: 'value' }),
        note: element('small', { class: 'note' }),
        trend: element('span', { class: 'trend' }),
      };
      const cell = element('td', { 'data-label': word(figure.key) }, element('span', { class: 'top' }, parts.mark, parts.value), parts.trend, parts.note);
      row.append(cell);
      cells.set(figure.key, { cell, ...parts });
    }
    this.#cells.set(name, { row, verdict, cells });
    return row;
  }

  #sayFeed(feed) {
    const says = [];
    if (feed.state === 'live') says.push(`${word('live')} · ${seconds(feed.age)}`);
    if (feed.state === 'late') says.push(word('late').toUpperCase(), word('late_long', { age: seconds(feed.age) }));
    if (feed.state === 'dead') says.push(word('dead').toUpperCase(), word('dead_long', { time: clock(feed.since) }));
    if (feed.state === 'unknown') says.push(word('unknown').toUpperCase(), word('unknown_long'));
    if (this.board.feed.catching_up && feed.state !== 'dead') says.push(word('catching_up'));
    if (!this.board.conservation.ok) says.push(word('broken_sums'));
    set(this.feedLine, says.join(' · '));
  }

  #show(queue, feed, blank, now) {
    const { row, verdict, cells } = this.#cells.get(queue.queue);
    let worst = OK;
    for (const figure of FIGURES) {
      const { cell, mark, value, note, trend } = cells.get(figure.key);
      set(value, blank ? '–' : figure.value(queue, feed.boardAge));
      value.classList.toggle('is-word', !blank && Boolean(figure.isWord?.(queue)));
      set(note, blank ? '' : figure.note(queue));
      if (figure.judge) {
        const found = figure.judge(queue, feed.boardAge);
        const judged = this.#held.judge(`${queue.queue} ${figure.key}`, found, now);
        worst = Math.max(worst, judged);
        cell.dataset.word = blank ? 'none' : NAMES[judged];
        set(mark, blank ? '' : SHAPES[judged]);
      }
      if (figure.trend && this.history && trend.dataset.of !== this.history.key) {
        trend.dataset.of = this.history.key;
        const values = this.history.queues[queue.queue]?.[figure.trend] ?? [];
        trend.replaceChildren(spark(values, `${word(figure.key)}, ${word('of_60m')}`));
      }
    }
    row.dataset.word = blank ? 'none' : NAMES[worst];
    set(verdict, blank ? '' : `${SHAPES[worst]} ${word(NAMES[worst])}`);
    this.#words.set(queue.queue, blank ? OK : worst);
  }
}

// Only what changed is written, so that nothing flickers and readers are not told the same again.
export function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
