// The figures of one queue, a file's worth of descriptions: to show another one, add an entry.
// Each says its value, its target, its window and formula, and how it is judged (not at all where it is left out).

import { above, abandonment, serviceLevel } from './judge.js';
import { seconds, share } from './format.js';
import { word } from './words.js';

export const FIGURES = [
  {
    key: 'waiting',
    value: (queue) => String(queue.waiting),
    note: (queue) => (queue.callbacks_waiting ? `+ ${queue.callbacks_waiting} ${word('callbacks')}` : word('now')),
    trend: 'waiting',
  },
  {
    key: 'oldest',
    value: (queue, age) => (queue.waiting ? seconds(queue.oldest_wait_seconds + age) : word('empty')),
    isWord: (queue) => !queue.waiting,
    note: ({ target }) =>
      target.oldest_wait_red_seconds === null ? word('now') : `${word('limit')} ${seconds(target.oldest_wait_red_seconds)}`,
    judge: (queue, age) =>
      queue.waiting
        ? above(queue.oldest_wait_seconds + age, queue.target.oldest_wait_amber_seconds, queue.target.oldest_wait_red_seconds)
        : 0,
    trend: 'oldest_wait_seconds',
  },
  {
    key: 'service_level',
    value: (queue) => share(queue.windows['15m'].service_level),
    note: ({ target }) => `${word('target')} ${share(target.service_level)} ${word('within')} ${seconds(target.threshold_seconds)} · ${word('of_15m')}`,
    judge: (queue) => serviceLevel(queue.windows['15m'], queue.target.service_level),
    trend: 'service_level',
  },
  {
    key: 'abandoned',
    value: (queue) => share(queue.windows['15m'].abandonment_rate),
    note: ({ target }) =>
      target.abandonment_bad === null ? word('of_15m') : `${word('limit')} ${share(target.abandonment_bad)} · ${word('of_15m')}`,
    judge: (queue) => abandonment(queue.windows['15m'], queue.target),
    trend: 'abandonment_rate',
  },
  {
    key: 'asa',
    value: (queue) => seconds(queue.windows['15m'].average_speed_of_answer),
    note: (queue) => `90 %: ${seconds(queue.windows['15m'].wait_p90)} · ${word('of_15m')}`,
  },
  {
    key: 'today',
    value: (queue) => String(queue.windows.today.queued),
    note: (queue) => `${share(queue.windows.today.service_level)} ${word('service_level').toLowerCase()} · ${word('since_midnight')}`,
  },
];
