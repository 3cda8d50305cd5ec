// The choices in the corner of the page, and the form to log in.

import { element } from './format.js';
import { keep, settings } from './settings.js';
import { LANGUAGES, word } from './words.js';

const SIZES = { 75: '75 %', 100: '100 %', 125: '125 %', 150: '150 %' };

export function showControls(node, session, onChange) {
  const views = { room: word('room'), ...(session.role === 'supervise' ? { supervisor: word('supervisor') } : {}) };
  const themes = { auto: word('auto'), light: word('light'), dark: word('dark'), contrast: word('contrast') };
  const choose = (name, label, options) => {
    const box = element('select', { id: `choose-${name}` });
    for (const [value, text] of Object.entries(options)) box.append(element('option', { value }, text));
    box.value = settings[name];
    box.addEventListener('change', () => {
      keep(name, box.value);
      onChange(name);
    });
    return element('label', {}, `${label} `, box);
  };
  const sound = element('input', { type: 'checkbox', id: 'choose-sound' });
  sound.checked = settings.sound;
  sound.addEventListener('change', () => keep('sound', sound.checked));
  const out = element('button', { type: 'button' }, word('log_out'));
  out.addEventListener('click', async () => {
    await fetch('/api/logout', { method: 'POST' });
    location.reload();
  });
  node.replaceChildren(
    choose('view', word('view'), views),
    choose('theme', word('theme'), themes),
    choose('size', word('text_size'), SIZES),
    choose('language', word('language'), LANGUAGES),
    element('label', {}, sound, ` ${word('sound')}`),
    ...(session.user ? [out] : []),
  );
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
