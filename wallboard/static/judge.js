// OK, WATCH or ACT: the same judgement as `occ watch` makes in a terminal, and one that is left only after 60 s on
// the better side. A ratio of a handful of calls is no ground to ACT.

export const OK = 0, WATCH = 1, ACT = 2;
export const NAMES = ['ok', 'watch', 'act'];
export const SHAPES = ['●', '▲', '■'];

const BURN_ACT = 2.5;
const FAILURES_MIN = 5;
const BETTER_FOR_MS = 60_000;

export function above(value, amber, red) {
  if (value === null) return OK;
  if (red !== null && value > red) return ACT;
  return amber !== null && value > amber ? WATCH : OK;
}

export function serviceLevel(figures, target) {
  const level = figures.service_level;
  if (level === null || level >= target) return OK;
  const burns = 1 - level > BURN_ACT * (1 - target);
  const failures = figures.service_level_missed + figures.service_level_abandoned_long + figures.service_level_timed_out;
  return burns && failures >= FAILURES_MIN ? ACT : WATCH;
}

export function abandonment(figures, target) {
  const rate = figures.abandonment_rate;
  const word = above(rate, target.abandonment_warn, target.abandonment_bad);
  return word === ACT && figures.abandoned < FAILURES_MIN ? WATCH : word;
}

// Remembers by key since when a judgement would have been better.
export class Held {
  #held = new Map();

  judge(key, found, now) {
    const known = this.#held.get(key);
    if (known === undefined || found >= known.word) {
      this.#held.set(key, { word: found, betterSince: null });
      return found;
    }
    known.betterSince ??= now;
    if (now - known.betterSince >= BETTER_FOR_MS) {
      this.#held.set(key, { word: found, betterSince: null });
      return found;
    }
    return known.word;
  }
}
