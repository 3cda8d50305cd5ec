// The words of one control room: of every figure that is judged, and of every queue the worst of its figures.
// While nothing is shown nothing is judged: what was held stays held.

import { FIGURES } from './figures.js';
import { Held, OK } from './judge.js';

export class Verdicts {
  #held = new Map(); // by queue
  #words = new Map();

  // By queue: { figures: by key, worst }; none of a queue while nothing is shown.
  get words() {
    return this.#words;
  }

  update(board, feed, now) {
    this.#words = new Map();
    if (feed.isBlank) return;
    const held = new Map();
    for (const queue of board.queues) {
      const known = this.#held.get(queue.queue) ?? new Held();
      const figures = new Map();
      for (const { key, judge } of FIGURES) if (judge) figures.set(key, known.judge(key, judge(queue, feed.boardAge), now));
      held.set(queue.queue, known);
      this.#words.set(queue.queue, { figures, worst: Math.max(OK, ...figures.values()) });
    }
    this.#held = held;
  }
}
