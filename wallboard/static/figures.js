// The figures, a file's worth of descriptions: to show another one, add an entry here, and nowhere else.
//
// FIGURES are of a queue and appear in every view. `key` names it; `name`, `formula` (with its window) and `about` (the
// full definition) are said in both languages; `value` and `note` are texts. Where `judge` is left out it is not judged,
// where `trend` is (a field of the server's history) it has no trend; `goal` is drawn into the trend.
//
// ROOM_FIGURES are of a control room and appear to supervisors; a `value` of null is not computed yet.

import { above, abandonment, serviceLevel } from './judge.js';
import { seconds, share } from './format.js';
import { word } from './words.js';

export const FIGURES = [
  {
    key: 'waiting',
    name: { en: 'Waiting', cy: 'Yn aros' },
    formula: { en: 'now · joined and not left', cy: 'nawr · wedi ymuno a heb adael' },
    about: { en: 'Visits that joined the queue and have not left it.', cy: 'Ymweliadau a ymunodd â’r ciw ac sydd heb ei adael.' },
    value: (queue) => String(queue.waiting),
    note: (queue) => (queue.callbacks_waiting ? `+ ${word('callbacks', { count: queue.callbacks_waiting })}` : ''),
    trend: 'waiting',
  },
  {
    key: 'oldest',
    name: { en: 'Oldest wait', cy: 'Arhosiad hiraf' },
    formula: { en: 'now · time since the first of them joined', cy: 'nawr · amser ers i’r cyntaf ymuno' },
    about: {
      en: 'How long the person has waited who has waited longest. Call-backs are not counted.',
      cy: 'Pa mor hir y mae’r person sydd wedi aros hiraf wedi aros. Ni chyfrifir galwadau’n ôl.',
    },
    value: (queue, age) => (queue.waiting ? seconds(queue.oldest_wait_seconds + age) : word('empty')),
    note: ({ target }) => (target.oldest_wait_red_seconds === null ? '' : `${word('limit')} ${seconds(target.oldest_wait_red_seconds)}`),
    judge: (queue, age) =>
      queue.waiting
        ? above(queue.oldest_wait_seconds + age, queue.target.oldest_wait_amber_seconds, queue.target.oldest_wait_red_seconds)
        : 0,
    trend: 'oldest_wait_seconds',
    goal: ({ target }) => target.oldest_wait_red_seconds,
  },
  {
    key: 'service_level',
    name: { en: 'In target', cy: 'O fewn y targed' },
    formula: { en: '15 min · answered in time ÷ all due by now', cy: '15 mun · atebwyd mewn pryd ÷ pawb i’w hateb erbyn hyn' },
    about: {
      en: 'Answered within the target time, divided by those and all who waited longer, gave up after the short limit, or timed out. Who waits too long already counts as missed.',
      cy: 'Y rhai a atebwyd o fewn yr amser targed, wedi’u rhannu â’r rheini a phawb a arhosodd yn hwy, a roddodd y gorau iddi ar ôl y terfyn byr, neu y daeth eu hamser i ben. Mae pwy bynnag sy’n aros yn rhy hir eisoes yn cyfrif fel methiant.',
    },
    value: (queue) => share(queue.windows['15m'].service_level),
    note: ({ target }) => `${word('target')} ${share(target.service_level)} ${word('within')} ${seconds(target.threshold_seconds)}`,
    judge: (queue) => serviceLevel(queue.windows['15m'], queue.target.service_level),
    trend: 'service_level',
    goal: ({ target }) => target.service_level,
  },
  {
    key: 'abandoned',
    name: { en: 'Abandoned', cy: 'Rhoi’r gorau iddi' },
    formula: { en: '15 min · gave up ÷ answered, gave up, timed out', cy: '15 mun · rhoi’r gorau iddi ÷ ateb, rhoi’r gorau iddi, amser ar ben' },
    about: {
      en: 'Abandoned, divided by answered, abandoned and timed out. Short abandons are left out.',
      cy: 'Y rhai a roddodd y gorau iddi, wedi’u rhannu â’r rhai a atebwyd, a roddodd y gorau iddi neu y daeth eu hamser i ben. Ni chyfrifir y rhai a roddodd y gorau iddi’n fuan.',
    },
    value: (queue) => share(queue.windows['15m'].abandonment_rate),
    note: ({ target }) => (target.abandonment_bad === null ? '' : `${word('limit')} ${share(target.abandonment_bad)}`),
    judge: (queue) => abandonment(queue.windows['15m'], queue.target),
    trend: 'abandonment_rate',
    goal: ({ target }) => target.abandonment_bad,
  },
  {
    key: 'asa',
    name: { en: 'Speed of answer', cy: 'Cyflymder ateb' },
    formula: { en: '15 min · waits of the answered ÷ answered', cy: '15 mun · arosiadau’r rhai a atebwyd ÷ eu nifer' },
    about: {
      en: 'The mean wait of those who were answered. Those who were not are not in it. Beside it what nine of ten waited at most, whatever became of them.',
      cy: 'Arhosiad cymedrig y rhai a atebwyd. Nid yw’n cynnwys y rhai na chafodd ateb. Wrth ei ymyl, yr hiraf yr arhosodd naw o bob deg, beth bynnag a ddigwyddodd iddynt.',
    },
    value: (queue) => seconds(queue.windows['15m'].average_speed_of_answer),
    note: (queue) => `${word('nine_of_ten')} ${seconds(queue.windows['15m'].wait_p90)}`,
    trend: 'average_speed_of_answer',
  },
  {
    key: 'today',
    name: { en: 'Today', cy: 'Heddiw' },
    formula: { en: 'since midnight · joined; trend: joined in 15 min', cy: 'ers hanner nos · wedi ymuno; tuedd: mewn 15 mun' },
    about: {
      en: 'Visits that joined since midnight, and how many of those due were answered in time. The trend is of those who joined in the 15 minutes before.',
      cy: 'Ymweliadau a ymunodd ers hanner nos, a faint o’r rhai oedd i’w hateb a atebwyd mewn pryd. Mae’r duedd yn dangos y rhai a ymunodd yn y 15 munud blaenorol.',
    },
    value: (queue) => String(queue.windows.today.queued),
    note: (queue) => `${share(queue.windows.today.service_level)} ${word('in_target')}`,
    trend: 'queued',
  },
];

export const ROOM_FIGURES = [
  {
    key: 'ring_backs',
    name: { en: 'Ring-backs due', cy: 'Galwadau’n ôl i’w gwneud' },
    value: ({ ring_backs_due: due }) => String(due.count),
    note: ({ ring_backs_due: due }) => (due.oldest_age_seconds === null ? '' : `${word('oldest')} ${seconds(due.oldest_age_seconds)}`),
  },
  { key: 'staffing', name: { en: 'Staffing gap', cy: 'Bwlch staffio' }, value: () => null },
  { key: 'redials', name: { en: 'Redials, and 999 after 101', cy: 'Ail-ddeialu, a 999 ar ôl 101' }, value: () => null },
  { key: 'origins', name: { en: 'Origins', cy: 'Tarddiad' }, value: () => null },
];
