// The choices in the corner of the page, and the form to log in.

import { element, fill } from './dom.js';
import { routeOf } from './route.js';
import { keep, settings } from './settings.js';
import { LANGUAGES, word } from './words.js';

const SIZES = { 75: '75 %', 100: '100 %', 125: '125 %', 150: '150 %' };

// Called again when a word or a choice has changed; whoever chooses by keyboard stays where they are.
export function showControls(node, session, onChange) {
  const chosen = { ...settings, view: routeOf(settings.view).view };
  const options = {
    view: { room: word('room'), ...(session.role === 'supervise' ? { supervisor: word('supervisor') } : {}), queue: word('queue') },
    theme: { auto: word('auto'), light: word('light'), dark: word('dark'), contrast: word('contrast') },
    size: SIZES,
    language: LANGUAGES,
  };
  const labels = { view: word('view'), theme: word('theme'), size: word('text_size'), language: word('language') };
  const sound = element('label', {}, element('input', { type: 'checkbox', id: 'choose-sound' }), word('sound'));
  const out = session.user ? element('button', { type: 'button', id: 'log-out' }, word('log_out')) : null;
  const chooser = ([name, texts]) => {
    const offered = Object.entries(texts).map(([value, text]) => element('option', { value }, text));
    return element('label', {}, labels[name], element('select', { id: `choose-${name}` }, ...offered));
  };
  fill(node, [...Object.entries(options).map(chooser), sound, out]);
  for (const box of node.querySelectorAll('select, input')) {
    const name = box.id.replace('choose-', '');
    const property = box.type === 'checkbox' ? 'checked' : 'value';
    box[property] = chosen[name];
    box.onchange = () => {
      keep(name, box[property]);
      onChange(name);
    };
  }
  if (out) document.getElementById('log-out').onclick = logOut;
}

async function logOut() {
  await fetch('/api/logout', { method: 'POST' });
  location.reload();
}

export function showLogin(node, onDone) {
  const user = element('input', { id: 'user', autocomplete: 'username', required: '' });
  const password = element('input', { id: 'password', type: 'password', autocomplete: 'current-password', required: '' });
  const said = element('p', { role: 'alert' });
  const form = element(
    'form',
    { class: 'login' },
    element('label', { for: 'user' }, word('user')),
    user,
    element('label', { for: 'password' }, word('password')),
    password,
    element('button', {}, word('log_in')),
    said,
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const answer = await fetch('/api/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ user: user.value, password: password.value }),
    });
    if (answer.ok) onDone();
    else said.textContent = answer.status === 401 ? word('wrong_login') : (await answer.json().catch(() => ({}))).error ?? answer.statusText;
  });
  node.replaceChildren(form);
  user.focus();
}
