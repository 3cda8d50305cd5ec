// One figure of one queue: its value with word and shape, trend, target, window and formula. Built once, then kept true.

import { element, set } from './dom.js';
import { NAMES, SHAPES } from './judge.js';
import { spark } from './spark.js';
import { say, word } from './words.js';

const LONG = 5, LONGEST = 7; // characters: what is longer is written smaller, and smaller still

export class Tile {
  #figure;
  #mark = element('span', { class: 'mark' });
  #value = element('span', { class: 'value' });
  #note = element('small', { class: 'note' });
  #trend = element('span', { class: 'trend' });
  #drawn = null; // the history of the trend

  // `parts` go before the value.
  constructor(figure, node, ...parts) {
    this.#figure = figure;
    this.node = node;
    node.append(...parts, element('span', { class: 'top' }, this.#mark, this.#value), this.#trend, this.#note);
  }

  // `judged` is OK, WATCH or ACT, or undefined where nothing is judged.
  show(queue, { feed, history }, judged) {
    const blank = feed.isBlank;
    const value = blank ? '–' : this.#figure.value(queue, feed.boardAge);
    set(this.#value, value);
    this.#value.classList.toggle('is-word', !blank && !/\d/.test(value));
    this.#value.classList.toggle('is-long', value.length > LONG);
    this.#value.classList.toggle('is-longest', value.length > LONGEST);
    set(this.#note, blank ? '' : this.#figure.note(queue));
    this.node.dataset.word = judged === undefined ? 'none' : NAMES[judged];
    set(this.#mark, judged === undefined ? '' : SHAPES[judged]);
    if (this.#figure.trend && history !== null && history !== this.#drawn) {
      this.#drawn = history;
      const values = history.queues[queue.queue]?.[this.#figure.trend] ?? [];
      this.#trend.replaceChildren(spark(values, word('trend', { figure: say(this.#figure.name) }), this.#figure.goal?.(queue) ?? null));
    }
  }
}

// The name of a figure, which opens its definition.
export function definition(figure) {
  return element('details', {}, element('summary', {}, say(figure.name)), element('p', {}, say(figure.about)));
}
