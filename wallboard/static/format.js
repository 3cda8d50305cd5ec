// Numbers as people read them, not parted from their units at the end of a line. What is not known is said, and is
// never 0.

import { word } from './words.js';

export function seconds(value) {
  if (value === null || value === undefined) return word('no_data');
  const whole = Math.floor(value);
  if (whole < 60) return `${whole}\u00a0s`;
  const minutes = Math.floor(whole / 60);
  const rest = String(whole % 60).padStart(2, '0');
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
}

export function share(value) {
  if (value === null || value === undefined) return word('no_data');
  // 99.96 % is not 100 %, and 0.04 % is not 0 %.
  const percent = value * 100;
  const rounded = Math.round(percent);
  if ((rounded === 100 && percent < 100) || (rounded === 0 && percent > 0)) return `${percent < 50 ? '<1' : '>99'}\u00a0%`;
  return `${rounded}\u00a0%`;
}

export function clock(at) {
  return new Date(at).toLocaleTimeString('en-GB', { hour12: false, timeZone: 'Europe/London' });
}
