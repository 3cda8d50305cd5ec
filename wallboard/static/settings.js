// What one screen remembers: view (as in the address), theme, text size, language, sound. Kept in the browser, and nowhere else.

const DEFAULTS = { view: 'room', theme: 'auto', size: '100', language: 'en', sound: false };
const KEY = 'occ-wallboard';

export const settings = { ...DEFAULTS, ...read() };

export function keep(name, value) {
  settings[name] = value;
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A kiosk may forbid it: the choice lasts until the page is left.
  }
  apply();
}

export function apply() {
  const root = document.documentElement;
  root.lang = settings.language;
  root.dataset.theme = settings.theme;
  root.dataset.size = settings.size;
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
