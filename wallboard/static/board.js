// What every view asks of a board: how old it is, and its queues in order.

const LATE_AFTER = 15, DEAD_AFTER = 30; // seconds, as the definitions say

// How old the data are now, and what that makes of the feed; `isBlank` when no value may be shown any more.
export function feedOf(board, now) {
  const boardAge = Math.max(0, (now - Date.parse(board.as_of)) / 1000);
  const said = board.feed.data_age_seconds;
  if (said === null) return { state: 'unknown', isBlank: true, boardAge, age: null, since: null };
  const age = said + boardAge;
  const state = age <= LATE_AFTER ? 'live' : age <= DEAD_AFTER ? 'late' : 'dead';
  return { state, isBlank: state === 'dead', boardAge, age, since: Date.parse(board.as_of) - said * 1000 };
}

// The most urgent first: those who are to be answered soonest.
export function queuesOf(board) {
  return [...board.queues].sort(
    (one, other) => one.target.threshold_seconds - other.target.threshold_seconds || (one.queue < other.queue ? -1 : 1),
  );
}
